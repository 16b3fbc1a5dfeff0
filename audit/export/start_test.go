package export

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// TestStartsOnADirectoryThatCannotBeWritten begins to export when it can be.
func TestStartsOnADirectoryThatCannotBeWritten(t *testing.T) {
	for _, steps := range []int{0, 5} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			var left atomic.Int64
			left.Store(int64(steps))
			w.opts.before = func(_, path string) error {
				if left.Add(-1) < 0 {
					return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
				}
				return nil
			}
			e := w.open()
			w.events(home, 2)
			pass(time.Hour)
			if s := e.Status(); !strings.Contains(s.LogFileError, "no space left") || s.Covered != 0 || s.LagRecords == 0 {
				t.Errorf("status: %+v", s)
			}
			left.Store(1 << 40)
			pass(lastPause)
			w.close(e)
			w.check()
		})
	}
}

// TestDigestsThatAreNotOurs puts a digest into the tree that says that everything was exported: only
// the service's own count when the state is made anew.
func TestDigestsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		put  func(*world, *signer, cloudtrail.SignedDigest)
		want string
	}{
		{"signed by another key", func(w *world, thief *signer, d cloudtrail.SignedDigest) {
			forged := *d.Digest
			forged.End, forged.Journal.Last = forged.End.Add(time.Hour), 1000
			forged.Object = w.opts.names().Digest(home, forged.End)
			w.put(thief, &forged, forged.Object)
		}, "not one of this service's"},
		{"ours, under another name", func(w *world, _ *signer, d cloudtrail.SignedDigest) {
			w.put(w.signer, d.Digest, w.opts.names().Digest(home, d.End.Add(time.Hour)))
		}, "under its own name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			must(t, w.life())
			thief := newSigner(t)
			thief.rotate(t)
			before := w.tree()
			all := digests(w.check(), home)
			d, err := cloudtrail.ReadDigest(os.DirFS(w.opts.Directory), all[len(all)-1].Object)
			must(t, err)
			c.put(w, thief, d)
			e := w.open()
			w.events(home, 1)
			if s := e.Status(); !strings.Contains(s.LogFileError, c.want) || s.Covered != 0 {
				t.Errorf("status: %+v, want %q", s, c.want)
			}
			for _, name := range slices.DeleteFunc(w.tree(), func(name string) bool { return slices.Contains(before, name) }) {
				must(t, os.Remove(name))
			}
			must(t, e.Digest(t.Context()))
			w.close(e)
			w.check()
		})
	}
}

// TestLostStateWithoutTheSigner waits for the keys that the newest digests are verified with.
func TestLostStateWithoutTheSigner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	must(t, os.Remove(w.statePath()))
	w.signer.set(errors.New("the HSM is away"))
	e := w.open()
	if s := e.Status(); !strings.Contains(s.LogFileError, "the HSM is away") {
		t.Errorf("status: %+v", s)
	}
	w.signer.set(nil)
	must(t, e.Digest(t.Context()))
	w.close(e)
	w.check()
}

// put puts a digest into the tree, signed by somebody.
func (w *world) put(by *signer, d *cloudtrail.Digest, name string) {
	w.Helper()
	keys, err := by.PublicKeys(w.Context())
	must(w, err)
	d.Fingerprint = keys[len(keys)-1].Fingerprint
	content, err := d.Encode()
	must(w, err)
	signature, _, err := by.Sign(w.Context(), d.SigningString(content))
	must(w, err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(content)
	must(w, errors.Join(err, z.Close()))
	path := filepath.Join(w.opts.Directory, name)
	must(w, os.MkdirAll(filepath.Dir(path), 0o700))
	must(w, os.WriteFile(path, packed.Bytes(), 0o600))
	must(w, os.WriteFile(path+cloudtrail.SignatureSuffix, cloudtrail.SignatureFile(hex.EncodeToString(signature)), 0o600))
}

// tree returns the paths of all files.
func (w *world) tree() (all []string) {
	w.Helper()
	must(w, filepath.WalkDir(w.opts.Directory, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	return all
}
