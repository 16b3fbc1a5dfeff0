package reliability

import (
	"os"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 22: CKR_GENERAL_ERROR now and then, from one of two members. The other one is asked.
func TestRow22GeneralErrors(t *testing.T) {
	row{
		world: options{members: 2},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			clients := w.using(8, key)
			err = w.hsms[0].faults.Set(faultp11.Fail("C_EncryptInit", ckr.GeneralError).Share(0.5, 1))
			if err != nil {
				return err
			}
			return firstOf(clients.more(200), clients.stopServed(), w.logged("CKR_GENERAL_ERROR", "directories.tokendir"))
		},
		without: []needed{{defence.RetryElsewhere, errFailed}},
	}.test(t)
}

// Row 22: the directory of the token cannot be reached, and comes back. Operators are told
// where to look.
func TestRow22TokenDirectoryGone(t *testing.T) {
	row{
		world: options{deadline: 2 * time.Second},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := served(w.use(key)); err != nil {
				return err
			}
			store := w.site.Token.Store
			if err := os.Rename(store, store+".away"); err != nil {
				return err
			}
			if err := w.killWorker(w.hsms[0]); err != nil {
				return err
			}
			refused := w.refusedForNow(key)
			if err := firstOf(os.RemoveAll(store), os.Rename(store+".away", store)); err != nil {
				return err
			}
			err = w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) })
			return firstOf(err, refused, w.logged("worker start failed", "listing the token directory", w.site.Token.Store))
		},
		without: []needed{{defence.Replacement, errStuck}},
	}.test(t)
}
