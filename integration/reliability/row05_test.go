package reliability

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 5: ten calls hang in the library of one of two HSMs. They cost nobody a request; the
// worker is replaced, and with it all that hangs.
func TestRow05TenCallsHang(t *testing.T) {
	const hang = 600 * time.Millisecond
	row{
		world: options{members: 2, hang: hang, hsm: []string{"sessions: 10"}},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			clients := w.using(20, key)
			if err := clients.more(40); err != nil {
				return err
			}
			stuck := w.hsms[0]
			before, err := w.describe(stuck)
			if err != nil {
				return err
			}
			if err := stuck.faults.Set(faultp11.Hang("C_EncryptInit").Times(10)); err != nil {
				return err
			}
			begun := time.Now()
			if err := w.replaced(stuck); err != nil {
				return firstOf(clients.stopServed(), err)
			}
			took := time.Since(begun)
			w.logf("the worker was replaced after %v, at most %v", took, 2*hang+2*time.Second)
			if took > 2*hang+2*time.Second {
				return broken(errStuck, "the worker was replaced after %v", took)
			}
			if err := firstOf(clients.more(40), clients.stopServed(), w.gone(int(before.GetWorkerPid()))); err != nil {
				return err
			}
			return w.logged("worker lost, starting another", stuck.id, "the worker hung")
		},
		without: []needed{{defence.HangDetection, errFailed}},
	}.test(t)
}

// replaced waits until another worker is ready.
func (w *world) replaced(h *hsm) error {
	if err := w.awaitRestarts(h, 1); err != nil {
		return err
	}
	return w.described(h, ready)
}

// gone wants a process to be there no more, with its threads and its memory.
func (w *world) gone(pid int) error {
	return w.awaits(errUnbounded, func(context.Context) error {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("process %d is still there", pid)
		}
		return nil
	})
}
