package reliability

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 3: a key was taken out of the token and put back behind our back, so that the handle
// of those who noticed is good for nothing. It is found again within the request.
func TestRow03HandleRefused(t *testing.T) {
	row{
		world: options{members: 2},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			object, err := w.onlyObject()
			if err != nil {
				return err
			}
			err = firstOf(w.useBoth(key), hide(object), w.lookBoth(), restore(object), w.lookBoth())
			if err != nil {
				return err
			}
			return firstOf(w.useBoth(key), w.unharmed(), w.happened("C_EncryptInit", ckr.ObjectHandleInvalid))
		},
		without: []needed{{defence.Refind, errFailed}},
	}.test(t)
}

// useBoth has each of two members use a key.
func (w *world) useBoth(key string) error {
	return firstOf(served(w.use(key)), served(w.use(key)))
}

// lookBoth has each of two members look for a key that the other one has made: SoftHSM
// finds out then what has become of the files in the token.
func (w *world) lookBoth() error { return firstOf(w.makesKeys(), w.makesKeys()) }

// Row 3: a new key takes a while to get to the other HSMs of the cluster. Whoever was told
// of it can use it, whichever HSM is lost at that moment.
func TestRow03KeyNotYetEverywhere(t *testing.T) {
	row{
		world: options{members: 2, faults: []faultp11.Fault{
			faultp11.SyncLag(700 * time.Millisecond), faultp11.Watch("C_GenerateKey"),
		}},
		scenario: func(w *world) error {
			begun := time.Now()
			key, err := w.newKey()
			if err != nil {
				return err
			}
			w.logf("the key was made in %v", time.Since(begun).Round(time.Millisecond))
			maker := w.hsms[0]
			if maker.faults.Seen("C_GenerateKey") == 0 {
				maker = w.hsms[1]
			}
			if err := maker.faults.Add(faultp11.Absent()); err != nil {
				return err
			}
			return served(w.use(key))
		},
		without: []needed{{defence.Availability, errFailed}},
	}.test(t)
}

// Row 3: somebody takes a key out of the token behind our back, and puts it back. Nobody
// may say that there is no such key, and it works again at once.
func TestRow03KeyGoneForAWhile(t *testing.T) {
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
			hidden := object + ".hidden"
			if err := os.Rename(object, hidden); err != nil {
				return err
			}
			if err := w.withoutMaterial(key); err != nil {
				return err
			}
			if err := os.Rename(hidden, object); err != nil {
				return err
			}
			if err := w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) }); err != nil {
				return err
			}
			return w.logged("a key's material is not in the token; restore it", "no key of this id")
		},
		without: []needed{{defence.Replacement, errVague}},
	}.test(t)
}

// hide takes the file of a key out of the token.
func hide(object string) error {
	return firstOf(os.Rename(object, object+".hidden"), changed(object))
}

// restore puts it back.
func restore(object string) error {
	return firstOf(os.Rename(object+".hidden", object), changed(object))
}

// changed counts a change of the token, as those who write to it do: SoftHSM looks for
// files only then.
func changed(object string) error {
	generation := filepath.Join(filepath.Dir(object), "generation")
	count, err := os.ReadFile(generation)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint64(count, binary.BigEndian.Uint64(count)+1)
	return os.WriteFile(generation, count, 0o600)
}

// onlyObject is the file of the only key in the token.
func (w *world) onlyObject() (string, error) {
	found, err := filepath.Glob(filepath.Join(w.site.Token.Store, "*", "*.object"))
	if err != nil {
		return "", err
	}
	var keys []string
	for _, file := range found {
		if filepath.Base(file) != "token.object" {
			keys = append(keys, file)
		}
	}
	if len(keys) != 1 {
		return "", broken(errWrong, "there are %d keys in the token, want one", len(keys))
	}
	return keys[0], nil
}

// withoutMaterial wants a use of the key to be refused for the reason that it is.
func (w *world) withoutMaterial(key string) error {
	err := w.use(key)
	if err == nil {
		return broken(errAccepted, "a key that is not in the token was used")
	}
	if !hasCode(err, "KMSInvalidStateException") || !strings.Contains(err.Error(), "does not have its key material") {
		return broken(errVague, "want KMSInvalidStateException: %w", err)
	}
	return nil
}
