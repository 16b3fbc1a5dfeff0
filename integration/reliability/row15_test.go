package reliability

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 15: the token was away, and the library has kept in mind that it is. It is seen again
// only by a library that is initialised anew, which takes nobody.
func TestRow15TokenListCached(t *testing.T) {
	row{
		world: options{deadline: time.Second},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := served(w.use(key)); err != nil {
				return err
			}
			if err := w.hsms[0].faults.Set(faultp11.Absent(), faultp11.CachedSlots()); err != nil {
				return err
			}
			err = w.use(key)
			w.logf("while the token was away: %v", err)
			if err := w.hsms[0].faults.Remove("absent"); err != nil {
				return err
			}
			return w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) })
		},
		without: []needed{{defence.Replacement, errStuck}},
	}.test(t)
}
