package reliability

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 1: all sessions are gone at once, as after the reboot of an HSM.
func TestRow01AllSessionsInvalid(t *testing.T) {
	row{
		world: options{hang: 10 * time.Second}, // no worker is looked after meanwhile
		scenario: func(w *world) error {
			return firstOf(w.stormed(faultp11.SessionsInvalid()), w.unharmed())
		},
		without: []needed{{defence.FreshSession, errRestarted}},
	}.test(t)
}

// Row 1: the token forgets the login, and the handles from before it.
func TestRow01LoggedOut(t *testing.T) {
	row{
		scenario: func(w *world) error {
			if err := w.stormed(faultp11.LoggedOut()); err != nil {
				return err
			}
			return w.logged("worker lost, starting another", "CKR_USER_NOT_LOGGED_IN")
		},
		without: []needed{{defence.Replacement, errStuck}, {defence.RetryElsewhere, errFailed}},
	}.test(t)
}

// Row 1: the device fails call after call.
func TestRow01DeviceError(t *testing.T) {
	row{
		scenario: func(w *world) error {
			return w.stormed(faultp11.Fail(faultp11.Operations, ckr.DeviceError).Times(1))
		},
		without: []needed{{defence.RetryElsewhere, errFailed}},
	}.test(t)
}

// stormed has a fault happen three times under load, in which nobody may notice it.
func (w *world) stormed(fault faultp11.Fault) error {
	key, err := w.newKey()
	if err != nil {
		return err
	}
	clients := w.using(8, key)
	for range 3 {
		if err := clients.more(40); err != nil {
			return err
		}
		if err := w.hsms[0].faults.Set(fault); err != nil {
			return err
		}
		struck := time.Now()
		if err := w.recovers(struck, 3*time.Second, func() error { return w.use(key) }); err != nil {
			return err
		}
	}
	return clients.stopServed()
}
