package reliability

import (
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 7: the library touches memory that is not there while keys sign.
func TestRow07LibraryCrashes(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.newSigner()
			if err != nil {
				return err
			}
			clients := w.load(8, func() error { return w.sign(key) })
			for range 2 {
				if err := clients.more(40); err != nil {
					return err
				}
				if err := w.hsms[0].faults.Set(faultp11.Kill("C_Sign", syscall.SIGSEGV).Times(1)); err != nil {
					return err
				}
				if err := w.recovers(time.Now(), 2*time.Second, func() error { return w.sign(key) }); err != nil {
					return err
				}
			}
			return firstOf(clients.stopServed(), w.logged("worker lost, starting another", w.hsms[0].id))
		},
		without: []needed{{defence.Replacement, errStuck}, {defence.RetryElsewhere, errFailed}},
	}.test(t)
}
