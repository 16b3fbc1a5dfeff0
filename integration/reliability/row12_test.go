package reliability

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 12: the user is logged in already, by another part of the process. That is as good.
func TestRow12LoggedInAlready(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := w.hsms[0].faults.Set(faultp11.Fail("C_Login", ckr.UserAlreadyLoggedIn).Kept().Times(1)); err != nil {
				return err
			}
			if err := w.killWorker(w.hsms[0]); err != nil {
				return err
			}
			return w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) })
		},
		without: []needed{{defence.OneLogin, errStuck}},
	}.test(t)
}

// Row 12: another part of the process logs out, and with it everybody. Each worker has
// logged in once, and never out.
func TestRow12LoggedOutByAnother(t *testing.T) {
	row{
		world: options{hsm: []string{"sessions: 4"}},
		scenario: func(w *world) error {
			if err := w.stormed(faultp11.LoggedOut(), faultp11.LoggedOut()); err != nil {
				return err
			}
			if err := w.once("C_Login"); err != nil {
				return err
			}
			return w.never("C_Logout")
		},
		without: []needed{{defence.Replacement, errStuck}},
	}.test(t)
}
