package integration

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/integration/harness"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// A data directory of a newer server, here with one format a version further,
// is refused with words that name the file and the version, and what it holds
// stays. The metadata is opened after the journal, which goes on behind what was
// there, and has its index made. Its values are read last, when the file has been written anew as it was,
// to be durable, and the server has logged in to the HSM.
func TestDataDirectoriesOfTheFuture(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		advance func(t *testing.T, site *harness.Site, golden *goldenData)
		words   []string
		changes []string // patterns of the files that the start may change
	}{
		{"journal segment", advanceSegment, []string{"00000000000000000002.journal", "format version 2"}, []string{"LOCK"}},
		{"journal record", advanceRecord, []string{"00000000000000000003.journal", "kind 99"}, []string{"LOCK"}},
		{"metadata file", advanceFile, []string{"metadata.db", "format version 2"}, []string{"LOCK", "*.journal", "*.index"}},
		{"metadata value", advanceValue, []string{"metadata", "/key/", "format version 2"}, []string{"LOCK", "metadata.db", "*.journal", "*.index", "token.object", "token.object.strongroom-copy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			site, golden := unpackSite(t, "v1-stopped")
			c.advance(t, site, golden)
			files, entries := contents(t, site, c.changes), metadataEntries(t, site)
			expectNoStart(t, site, c.words)
			if diff := cmp.Diff(files, contents(t, site, c.changes)); diff != "" {
				t.Errorf("the refusal changed files:\n%s", diff)
			}
			if diff := cmp.Diff(entries, metadataEntries(t, site)); diff != "" {
				t.Errorf("the refusal changed metadata:\n%s", diff)
			}
			if slices.Contains(c.changes, "*.journal") {
				expectRecords(t, site, golden)
			}
		})
	}
}

// expectNoStart expects that the server ends, its last line being these words.
func expectNoStart(t *testing.T, site *harness.Site, want []string) {
	t.Helper()
	p, err := site.Spawn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := p.Wait(within(t, 30*time.Second)); err == nil {
		t.Error("the server ended without an error")
	}
	lines := strings.Split(strings.TrimSpace(p.Stderr.String()), "\n")
	for _, words := range want {
		if !strings.Contains(lines[len(lines)-1], words) {
			t.Errorf("the server's last words lack %q:\n%s", words, p.Stderr)
		}
	}
}

// contents returns a digest of each file of a site's data directory and token,
// but for those that have one of the base names.
func contents(t *testing.T, site *harness.Site, except []string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, dir := range []string{site.DataDir, site.Token.Store} {
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || matchesAny(t, except, d.Name()) {
				return err
			}
			content, err := os.ReadFile(filepath.Join(dir, path))
			files[path] = fmt.Sprintf("%x", sha256.Sum256(content))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// metadataEntries returns what stands in the metadata file, as it stands there.
func metadataEntries(t *testing.T, site *harness.Site) map[string][]byte {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(site.DataDir, "metadata.db"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	entries := map[string][]byte{}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(k, v []byte) error {
				entries[string(name)+" "+string(k)] = slices.Clone(v)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func matchesAny(t *testing.T, patterns []string, name string) bool {
	t.Helper()
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matches, err := filepath.Match(pattern, name)
		if err != nil {
			t.Fatal(err)
		}
		return matches
	})
}

func advanceSegment(t *testing.T, site *harness.Site, _ *goldenData) {
	t.Helper()
	path := filepath.Join(site.DataDir, "journal", "00000000000000000002.journal")
	segment, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	segment[8] = 2 // the lowest byte of the version
	hash := sha256.Sum256(segment[:104])
	copy(segment[104:], hash[:])
	if err := os.WriteFile(path, segment, 0o600); err != nil {
		t.Fatal(err)
	}
}

func advanceRecord(t *testing.T, site *harness.Site, _ *goldenData) {
	t.Helper()
	j, _, err := journal.Open(journal.Options{Dir: filepath.Join(site.DataDir, "journal")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), journal.Entry{Kind: 99, Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func advanceFile(t *testing.T, site *harness.Site, _ *goldenData) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(site.DataDir, "metadata.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte{7: 2})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func advanceValue(t *testing.T, site *harness.Site, golden *goldenData) {
	t.Helper()
	store, err := metadata.OpenBolt(filepath.Join(site.DataDir, "metadata.db"), metadata.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := metadataKey(golden.Keys[0].ARN)
	entry, err := store.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	entry.Value[0] = 2
	putBytes(t, store, path, entry.Value)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
