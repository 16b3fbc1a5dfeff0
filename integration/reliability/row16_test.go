package reliability

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 16: the server is started while there is no token. It serves what needs none, says
// that it is not healthy and why, and serves all once the token is there.
func TestRow16StartWithoutToken(t *testing.T) {
	row{
		scenario: func(w *world) error {
			return w.startsWithout("could not find PKCS#11 token; check the token's label",
				func() error { return w.hsms[0].faults.Set(faultp11.Absent()) },
				w.hsms[0].faults.Clear)
		},
		without: []needed{{defence.Degraded, errRestarted}},
	}.test(t)
}

// Row 16: the same of the library's file.
func TestRow16StartWithoutLibrary(t *testing.T) {
	row{
		world: options{prepare: (*world).ownLibrary},
		scenario: func(w *world) error {
			library := w.libraryCopy()
			return w.startsWithout(library,
				func() error { return os.Rename(library, library+".away") },
				func() error { return os.Rename(library+".away", library) })
		},
	}.test(t)
}

// ownLibrary has the configuration name a copy of the library.
func (w *world) ownLibrary() error {
	config, err := os.ReadFile(w.site.Config)
	if err != nil {
		return err
	}
	library, err := os.ReadFile(built.faults)
	if err != nil {
		return err
	}
	config = bytes.ReplaceAll(config, []byte(built.faults), []byte(w.libraryCopy()))
	return firstOf(os.WriteFile(w.site.Config, config, 0o600), os.WriteFile(w.libraryCopy(), library, 0o700))
}

func (w *world) libraryCopy() string { return filepath.Join(filepath.Dir(w.site.Config), "library.so") }

// startsWithout kills the server, takes something away, starts the server, and brings it
// back. Meanwhile the log has to name why.
func (w *world) startsWithout(why string, take, bring func() error) error {
	key, err := w.newKey()
	if err != nil {
		return err
	}
	if err := take(); err != nil {
		return err
	}
	w.impaired = true
	if err := w.startAgain(); err != nil {
		return broken(errRestarted, "the server does not start: %w", err)
	}
	err = firstOf(w.answersWithoutHSM(key), w.healthy(false), w.refusedForNow(key), w.logged("worker start failed", why))
	if err != nil {
		return err
	}
	if err := bring(); err != nil {
		return err
	}
	if err := w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) }); err != nil {
		return err
	}
	return w.healthy(true)
}

// refusedForNow wants a use of the key to be refused as one that may be repeated.
func (w *world) refusedForNow(key string) error {
	switch err := w.use(key); {
	case err == nil:
		return broken(errAccepted, "a key was used although there is no HSM")
	case !hasCode(err, "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException"):
		return broken(errVague, "want an exception after which clients come again: %w", err)
	}
	return nil
}
