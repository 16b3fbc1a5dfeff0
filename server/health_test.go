package server

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

func checkHealth(h *harness, conn *grpc.ClientConn) error {
	answer, err := healthv1.NewHealthClient(conn).Check(h.context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		return errors.New(answer.GetStatus().String())
	}
	return nil
}

// watchOnce opens a watch of health that lasts until the end of the test, and
// waits for its first answer.
func watchOnce(h *harness, conn *grpc.ClientConn) error {
	watch, err := healthv1.NewHealthClient(conn).Watch(h.context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	_, err = watch.Recv()
	return err
}

func TestHealthOfEveryService(t *testing.T) {
	for want, state := range map[healthv1.HealthCheckResponse_ServingStatus]error{
		healthv1.HealthCheckResponse_SERVING:     nil,
		healthv1.HealthCheckResponse_NOT_SERVING: errors.New("the journal's disk is full"),
	} {
		t.Run(want.String(), func(t *testing.T) {
			h := newHarness(t)
			h.config.Health = func() error { return state }
			client := healthv1.NewHealthClient(h.start().dial())
			for _, service := range []string{"", "strongroom.kms.v1.KeyManagementService", "strongroom.operator.v1.OperatorService"} {
				var header metadata.MD
				got, err := client.Check(h.context(), &healthv1.HealthCheckRequest{Service: service}, grpc.Header(&header))
				if err != nil || got.GetStatus() != want {
					t.Errorf("%q: %v, %v; want %v", service, got.GetStatus(), err, want)
				}
				if id := header.Get(requestIDHeader); id != nil {
					t.Errorf("%q: answered with request id %v, and leaves no event", service, id)
				}
			}
		})
	}
}

func TestWatchersSeeTheDrain(t *testing.T) {
	h := newHarness(t).start()
	watch, err := healthv1.NewHealthClient(h.dial()).Watch(h.context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("first: %v, %v", first, err)
	}
	h.stop()
	// NOT_SERVING may be overtaken by the end of the stream; SERVING is wrong.
	for {
		next, err := watch.Recv()
		if err != nil {
			break
		}
		if next.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
			t.Errorf("while draining: %v", next.GetStatus())
		}
	}
	h.end()
}

func TestHealthFollowsTheCheckWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reason atomic.Pointer[error]
		check := func() error {
			if err := reason.Load(); err != nil {
				return *err
			}
			return nil
		}
		log := &lockedBuffer{}
		h := newHealthReporter(check, hclog.New(&hclog.LoggerOptions{Output: log}))
		ctx, cancel := context.WithCancel(t.Context())
		go h.watch(ctx)

		broken := errors.New("hsm-1: wrong PIN")
		for _, step := range []struct {
			reason *error
			want   healthv1.HealthCheckResponse_ServingStatus
		}{
			{nil, healthv1.HealthCheckResponse_SERVING},
			{&broken, healthv1.HealthCheckResponse_NOT_SERVING},
			{&broken, healthv1.HealthCheckResponse_NOT_SERVING},
			{nil, healthv1.HealthCheckResponse_SERVING},
		} {
			reason.Store(step.reason)
			time.Sleep(healthInterval)
			synctest.Wait()
			wantHealth(t, h, step.want)
		}
		cancel()
		synctest.Wait()
		wantHealth(t, h, healthv1.HealthCheckResponse_NOT_SERVING)
		if n := strings.Count(log.String(), "hsm-1: wrong PIN"); n != 1 {
			t.Errorf("the reason stands %d times in the log, want once:\n%s", n, log)
		}
	})
}

func wantHealth(t *testing.T, h *healthReporter, want healthv1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	got, err := h.server.Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != want {
		t.Errorf("health %v, %v; want %v", got.GetStatus(), err, want)
	}
}
