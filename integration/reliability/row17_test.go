package reliability

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

// Row 17: two objects of the token have one CKA_ID. None of them is used, operators are
// told, and when the one that does not belong there is gone the key works again.
func TestRow17TwoObjectsOfOneID(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := served(w.use(key)); err != nil {
				return err
			}
			object, err := w.onlyObject()
			if err != nil {
				return err
			}
			twin := filepath.Join(filepath.Dir(object), "00000000-0000-0000-0000-000000000000.object")
			if err := duplicate(object, twin); err != nil {
				return err
			}
			if err := w.killWorker(w.hsms[0]); err != nil {
				return err
			}
			if err := firstOf(w.refusesTwins(key), w.logged("several objects of the token have the same id", "destroy the ones that do not belong there")); err != nil {
				return err
			}
			if err := firstOf(os.Remove(twin), changed(object)); err != nil {
				return err
			}
			return w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) })
		},
		without: []needed{{defence.UniqueIDs, errAccepted}},
	}.test(t)
}

// duplicate copies the file of a key.
func duplicate(object, twin string) error {
	content, err := os.ReadFile(object)
	if err != nil {
		return err
	}
	return firstOf(os.WriteFile(twin, content, 0o600), changed(object))
}

// refusesTwins wants the key not to be used.
func (w *world) refusesTwins(key string) error {
	err := w.use(key)
	if err == nil {
		return broken(errAccepted, "a key was used of which there are two")
	}
	w.logf("%v", err)
	return nil
}
