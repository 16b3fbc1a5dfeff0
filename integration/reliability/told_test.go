package reliability

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// The states of an HSM.
const (
	ready     = operatorv1.HsmState_HSM_STATE_READY
	starting  = operatorv1.HsmState_HSM_STATE_STARTING
	stopped   = operatorv1.HsmState_HSM_STATE_STOPPED
	suspended = operatorv1.HsmState_HSM_STATE_SUSPENDED
)

// patience is how long something that has to happen is waited for.
const patience = 5 * time.Second

// awaits asks again and again until there is no error, or patience is over: there is no
// event to wait for.
func (w *world) awaits(promise error, look func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return broken(promise, "after %v: %w", patience, err)
		}
	}
}

// recovers has a request of a kind be served again, no later than within after the fault
// has ended.
func (w *world) recovers(ended time.Time, within time.Duration, do func() error) error {
	for {
		err := do()
		took := time.Since(ended)
		if err == nil && took <= within {
			w.logf("recovered in %v, at most %v", took.Round(time.Millisecond), within)
			return nil
		}
		if took > within {
			return broken(errStuck, "%v after the fault: %w", took.Round(time.Millisecond), orSlow(err))
		}
	}
}

func orSlow(err error) error {
	if err == nil {
		return fmt.Errorf("it was served only now")
	}
	return err
}

// logged wants a line of the server's log that has all the words.
func (w *world) logged(words ...string) error {
	return w.awaits(errUntold, func(context.Context) error {
		if w.lines(words...) > 0 {
			return nil
		}
		return fmt.Errorf("no line of the log has %q", words)
	})
}

// lines counts the lines of the server's log that have all the words.
func (w *world) lines(words ...string) int {
	n := 0
	for line := range strings.Lines(w.server.Stderr.String()) {
		if hasAll(line, words) {
			n++
		}
	}
	return n
}

func hasAll(line string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}

// describe returns what operators are told of an HSM.
func (w *world) describe(h *hsm) (*operatorv1.HsmDescription, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	answer, err := w.client.Operator.DescribeHsms(ctx, &operatorv1.DescribeHsmsRequest{})
	if err != nil {
		return nil, broken(errUntold, "describing the HSMs: %w", err)
	}
	for _, d := range answer.GetHsms() {
		if d.GetHsmId() == h.id {
			return d, nil
		}
	}
	return nil, broken(errUntold, "the HSM %s is not described", h.id)
}

// described wants an HSM in a state, with a reason or a warning that has all the words.
func (w *world) described(h *hsm, state operatorv1.HsmState, words ...string) error {
	return w.awaits(errUntold, func(context.Context) error {
		d, err := w.describe(h)
		if err != nil {
			return err
		}
		if d.GetState() != state || !hasAll(d.GetReason()+d.GetWarning(), words) {
			return fmt.Errorf("the HSM is %v because of %q, with the warning %q: want %v, %q", d.GetState(), d.GetReason(), d.GetWarning(), state, words)
		}
		return nil
	})
}

// restarts is how often the worker of an HSM was replaced.
func (w *world) restarts(h *hsm) (int, error) {
	d, err := w.describe(h)
	return int(d.GetRestarts()), err
}

// unharmed wants no worker to have been replaced.
func (w *world) unharmed() error {
	for _, h := range w.hsms {
		n, err := w.restarts(h)
		if err != nil {
			return err
		}
		if n > 0 {
			return broken(errRestarted, "the worker of %s was replaced %d times", h.id, n)
		}
	}
	return nil
}

// healthy wants the server to say that it serves, or that it does not.
func (w *world) healthy(serves bool) error {
	want := grpc_health_v1.HealthCheckResponse_SERVING
	if !serves {
		want = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	return w.awaits(errUntold, func(ctx context.Context) error {
		answer, err := w.client.Health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			return err
		}
		if answer.GetStatus() != want {
			return fmt.Errorf("the server's health is %v, want %v", answer.GetStatus(), want)
		}
		return nil
	})
}

// awaitRestarts waits until the worker of an HSM was replaced so often.
func (w *world) awaitRestarts(h *hsm, n int) error {
	return w.awaits(errStuck, func(context.Context) error {
		d, err := w.describe(h)
		if err != nil {
			return err
		}
		if int(d.GetRestarts()) < n {
			return fmt.Errorf("the worker of %s was replaced %d times: want %d", h.id, d.GetRestarts(), n)
		}
		return nil
	})
}

// killWorker ends the worker of an HSM without warning.
func (w *world) killWorker(h *hsm) error {
	d, err := w.describe(h)
	if err != nil {
		return err
	}
	return syscall.Kill(int(d.GetWorkerPid()), syscall.SIGKILL)
}
