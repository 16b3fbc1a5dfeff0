package reliability

import (
	"context"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Row 13: the PIN is wrong, of two members, and the server is started again and again. The
// token locks after three; it is asked once. With the right PIN, and an operator's word, all
// goes on without a restart.
func TestRow13WrongPIN(t *testing.T) {
	row{
		world: options{
			members: 2, impaired: true, faults: []faultp11.Fault{faultp11.PINLimit(3)},
			prepare: func(w *world) error { return w.site.Token.WritePIN("not the PIN") },
		},
		scenario: func(w *world) error {
			for range 3 {
				if err := w.stoppedForPIN(); err != nil {
					return err
				}
				if err := w.startAgain(); err != nil {
					return err
				}
			}
			if err := firstOf(w.stoppedForPIN(), w.triedOnce()); err != nil {
				return err
			}
			if err := firstOf(w.site.Token.WritePIN(w.site.Token.PIN), w.unlock()); err != nil {
				return err
			}
			return w.recovers(time.Now(), 3*time.Second, w.makesKeys)
		},
		without: []needed{{defence.PINGuard, errUnbounded}},
	}.test(t)
}

// stoppedForPIN wants operators to be told that both HSMs are stopped, and what to do.
func (w *world) stoppedForPIN() error {
	for _, h := range w.hsms {
		if err := w.described(h, operatorv1.HsmState_HSM_STATE_STOPPED, "strongroom hsm unlock-check"); err != nil {
			return err
		}
	}
	return nil
}

// triedOnce wants the wrong PIN to have been tried once, whoever tried it.
func (w *world) triedOnce() error {
	wrong, err := w.answered("C_Login", ckr.PINIncorrect)
	if err != nil {
		return err
	}
	locked, err := w.answered("C_Login", ckr.PINLocked)
	if err != nil {
		return err
	}
	if wrong != 1 || locked != 0 {
		return broken(errUnbounded, "the wrong PIN was tried %d times, and the token was locked %d times", wrong, locked)
	}
	return nil
}

// unlock has an operator say that he has acted.
func (w *world) unlock() error {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	_, err := w.client.Operator.CheckHsmUnlock(ctx, &operatorv1.CheckHsmUnlockRequest{})
	return err
}
