package reliability

import (
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Row 23: every other call of one member fails. Keys are used by the other one, and nobody
// notices; a key is made once, and not a second time after a failure.
func TestRow23OneOfTwoFails(t *testing.T) {
	row{
		world: options{members: 2},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			clients := w.using(8, key)
			if err := w.hsms[0].faults.Set(faultp11.Fail(faultp11.Operations, ckr.DeviceError).Share(0.5, 3)); err != nil {
				return err
			}
			if err := firstOf(clients.more(150), clients.stopServed()); err != nil {
				return err
			}
			return w.notRepeated()
		},
		without: []needed{{defence.RetryElsewhere, errFailed}},
	}.test(t)
}

// notRepeated has a generation fail after the fact, and counts the calls for it.
func (w *world) notRepeated() error {
	for _, h := range w.hsms {
		err := h.faults.Set(faultp11.Fail("C_GenerateKey", ckr.DeviceError).Kept().Times(1))
		if err != nil {
			return err
		}
	}
	if err := w.ready(); err != nil {
		return err
	}
	if _, err := w.newKey(); err == nil {
		return broken(errAccepted, "a key was made in spite of a failure: it was made twice")
	}
	seen := w.hsms[0].faults.Seen("C_GenerateKey") + w.hsms[1].faults.Seen("C_GenerateKey")
	if seen != 1 {
		return broken(errUnbounded, "C_GenerateKey was called %d times for one key", seen)
	}
	return nil
}

// ready waits until every HSM is.
func (w *world) ready() error {
	for _, h := range w.hsms {
		if err := w.described(h, ready); err != nil {
			return err
		}
	}
	return nil
}

// Row 23: the user is missing on one HSM of the cluster. The other one serves, and operators
// are told which one it is.
func TestRow23UserMissingOnOne(t *testing.T) {
	row{
		world: options{members: 2},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			clients := w.using(8, key)
			replaced := w.hsms[0]
			if err := replaced.faults.Set(faultp11.Fail("C_Login", ckr.PINExpired)); err != nil {
				return err
			}
			if err := w.killWorker(replaced); err != nil {
				return err
			}
			err = w.described(replaced, operatorv1.HsmState_HSM_STATE_STOPPED, "C_Login", "CKR_PIN_EXPIRED")
			return firstOf(clients.more(50), clients.stopServed(), err, w.healthy(true))
		},
	}.test(t)
}
