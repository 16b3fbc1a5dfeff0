package integration

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// inFlight is how many requests the load tests keep under way.
const inFlight = 64

// Whatever happens to the process that has the PKCS#11 library loaded, no
// client sees an error, and every answer is right.
func TestWorkerKilledUnderLoad(t *testing.T) {
	for _, test := range []struct {
		name     string
		every    time.Duration
		requests int64
		kills    int64
		heavy    bool
	}{
		{name: "every 2 s", every: 2 * time.Second, requests: 10_000, kills: 3, heavy: true},
		{name: "every 300 ms", every: 300 * time.Millisecond, requests: 3_000, kills: 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.heavy && testing.Short() {
				t.Skip("takes 7 s")
			}
			site := newSite(t, harness.Options{})
			server := start(t, site)
			client := dial(t, site, server, harness.Admin)
			key := newKey(t, client)
			killer := startKiller(t, server, test.every)
			more := func(done int64) bool {
				killer.progress.Store(done)
				return done < test.requests || killer.kills.Load() < test.kills
			}

			done, err := harness.Load(within(t, time.Minute), inFlight, more, func(ctx context.Context, _ int) error {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				return harness.RoundTrip(ctx, client, key)
			})
			killer.stop()
			if err != nil {
				t.Fatalf("after %d round trips and %d kills a client saw: %v", done, killer.kills.Load(), err)
			}
			t.Logf("%d round trips, %d kills", done, killer.kills.Load())
			expectRestarts(t, client, uint32(killer.kills.Load()))
		})
	}
}

// killer kills the server's worker again and again, each time after the
// requests that met the last kill have been answered: a request is tried again
// once, so that one which is hit twice may fail.
type killer struct {
	kills    atomic.Int64
	progress atomic.Int64 // of the load, in round trips
	stop     func()
}

func startKiller(t *testing.T, server *harness.Server, every time.Duration) *killer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	k, finished := &killer{}, make(chan struct{})
	k.stop = func() {
		cancel()
		<-finished
	}
	t.Cleanup(k.stop)
	go func() {
		defer close(finished)
		if err := k.run(ctx, server, every); !errors.Is(err, context.Canceled) {
			t.Errorf("killing workers: %v", err)
		}
	}()
	return k
}

func (k *killer) run(ctx context.Context, server *harness.Server, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last int
	var settled int64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if k.progress.Load() < settled {
			continue
		}
		pid, err := server.Worker(ctx, last)
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		last, settled = pid, k.progress.Load()+2*inFlight
		k.kills.Add(1)
	}
}

// expectRestarts asks the server how often it has restarted the worker.
func expectRestarts(t *testing.T, client *harness.Client, want uint32) {
	t.Helper()
	answer, err := client.Operator.DescribeHsms(within(t, 10*time.Second), &operatorv1.DescribeHsmsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.GetHsms()) != 1 {
		t.Fatalf("the server describes %d HSMs, want 1", len(answer.GetHsms()))
	}
	if got := answer.GetHsms()[0].GetRestarts(); got < want {
		t.Errorf("the server counts %d restarts after %d kills", got, want)
	}
}

// A worker that stops answering (here: SIGSTOP) is replaced like one that died.
func TestHungWorkerIsReplaced(t *testing.T) {
	site := newSite(t, harness.Options{HangTimeout: 500 * time.Millisecond})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	hung, err := server.Worker(within(t, 10*time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(hung, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}

	_, err = harness.Load(within(t, 30*time.Second), inFlight, func(done int64) bool { return done < 500 }, func(ctx context.Context, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return harness.RoundTrip(ctx, client, key)
	})
	if err != nil {
		t.Fatalf("a client saw: %v", err)
	}
	if err := syscall.Kill(hung, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the hung worker %d still exists (%v)", hung, err)
	}
	expectRestarts(t, client, 1)
}
