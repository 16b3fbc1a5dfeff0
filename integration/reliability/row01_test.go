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
			return firstOf(w.stormed(faultp11.SessionsInvalid(), faultp11.SessionsInvalid(), faultp11.SessionsInvalid()), w.unharmed(),
				w.logged("the HSM failed, and the request is tried again", "CKR_SESSION_HANDLE_INVALID"))
		},
		without: []needed{{defence.FreshSession, errRestarted}},
	}.test(t)
}

// Row 1: the token forgets the login, and the handles from before it.
func TestRow01LoggedOut(t *testing.T) {
	row{
		scenario: func(w *world) error {
			if err := w.stormed(faultp11.LoggedOut(), faultp11.LoggedOut(), faultp11.LoggedOut()); err != nil {
				return err
			}
			return w.logged("worker lost, starting another", "CKR_USER_NOT_LOGGED_IN")
		},
		without: []needed{{defence.Replacement, errStuck}, {defence.RetryElsewhere, errFailed}},
	}.test(t)
}

// Row 1: the device fails, is gone, and the library says that it was never initialised.
func TestRow01DeviceError(t *testing.T) {
	once := func(rv ckr.RV) faultp11.Fault { return faultp11.Fail(faultp11.Operations, rv).Times(1) }
	row{
		scenario: func(w *world) error {
			if err := w.stormed(once(ckr.DeviceError), once(ckr.DeviceRemoved), once(ckr.CryptokiNotInitialized)); err != nil {
				return err
			}
			for _, name := range []string{"CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED", "CKR_CRYPTOKI_NOT_INITIALIZED"} {
				if err := w.logged("worker lost, starting another", name); err != nil {
					return err
				}
			}
			return nil
		},
		without: []needed{{defence.RetryElsewhere, errFailed}},
	}.test(t)
}

// stormed has one fault after the other happen under load, in which nobody may notice it.
func (w *world) stormed(faults ...faultp11.Fault) error {
	key, err := w.newKey()
	if err != nil {
		return err
	}
	clients := w.using(8, key)
	for _, fault := range faults {
		if err := clients.more(40); err != nil {
			return err
		}
		if err := w.hsms[0].faults.Set(fault); err != nil {
			return err
		}
		if err := w.recovers(time.Now(), 3*time.Second, func() error { return w.use(key) }); err != nil {
			return err
		}
	}
	return clients.stopServed()
}
