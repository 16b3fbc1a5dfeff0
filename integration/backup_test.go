package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// sealed is a key with something that was encrypted under it.
type sealed struct {
	key  string
	blob []byte
}

// seal creates a key and encrypts under it.
func seal(ctx context.Context, client *harness.Client) (sealed, error) {
	key, err := client.NewKey(ctx)
	if err != nil {
		return sealed{}, err
	}
	a, err := encrypt(ctx, client, key)
	return sealed{key, a.blob}, err
}

// expectOpens expects that everything can be decrypted.
func expectOpens(t *testing.T, client *harness.Client, all []sealed) {
	t.Helper()
	for _, s := range all {
		res, err := client.KMS.Decrypt(within(t, 10*time.Second), &kmsv1.DecryptRequest{CiphertextBlob: s.blob})
		if err != nil || string(res.GetPlaintext()) != plaintext {
			t.Errorf("a ciphertext under %s decrypts to %q, %v", s.key, res.GetPlaintext(), err)
		}
	}
}

// backUp writes a backup of a running server and returns its path.
func backUp(t *testing.T, site *harness.Site, server *harness.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "strongroom.backup")
	out := mustRun(t, clientEnv(site, server, harness.Admin), "backup", path)
	if again := mustRun(t, nil, "backup", "--verify", path); again != out {
		t.Errorf("backup prints\n%sand backup --verify\n%s", out, again)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(content(t, path))); !strings.Contains(out, sum) {
		t.Errorf("backup does not print the file's SHA-256, %s:\n%s", sum, out)
	}
	return path
}

// A backup that is made while keys are created and used holds every key that was
// acknowledged before it began. Restored, with the same token, the server goes on.
func TestBackupUnderLoadAndRestore(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	var mu sync.Mutex
	var acknowledged []sealed
	ctx, stopLoad := context.WithCancel(within(t, time.Minute))
	enough := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		more := func(done int64) bool {
			if done == 40 {
				close(enough)
			}
			return true
		}
		_, _ = harness.Load(ctx, 4, more, func(ctx context.Context, _ int) error { // ends with ctx
			s, err := seal(ctx, client)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			acknowledged = append(acknowledged, s)
			return nil
		})
	})
	<-enough
	mu.Lock()
	before := append([]sealed(nil), acknowledged...)
	mu.Unlock()
	backup := backUp(t, site, server)
	stopLoad()
	load.Wait()
	stop(t, server.Process)

	lost := site.DataDir + ".lost"
	if err := os.Rename(site.DataDir, lost); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, nil, "restore", "--data-dir", site.DataDir, backup); out != mustRun(t, nil, "backup", "--verify", backup) {
		t.Errorf("restore prints\n%sand not what backup --verify does", out)
	}
	mustRun(t, nil, "audit", "verify", site.DataDir)
	server = start(t, site)
	client = dial(t, site, server, harness.Admin)
	expectOpens(t, client, before)
	newKey(t, client)
	stop(t, server.Process)
	mustRun(t, nil, "audit", "verify", site.DataDir)

	for name, dir := range map[string]string{"journal": lost, "metadata.db": onlyMetadata(t, lost)} {
		_, stderr, err := strongroom(t, nil, "restore", "--data-dir", dir, backup)
		if err == nil || !strings.Contains(stderr, filepath.Join(dir, name)) {
			t.Errorf("a restore over what has a %s: %v, %q, want it refused and %s named", name, err, stderr, filepath.Join(dir, name))
		}
	}
}

// onlyMetadata returns a data directory without a journal.
func onlyMetadata(t *testing.T, dataDir string) string {
	t.Helper()
	dir := t.TempDir()
	content, err := os.ReadFile(filepath.Join(dataDir, "metadata.db"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "metadata.db"), content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Metadata that is damaged keeps the server from starting, with words. The metadata
// of a backup brings it back; what was changed since is named, and the journal goes on.
func TestDamagedMetadataIsRestored(t *testing.T) {
	t.Parallel()
	damages := map[string]func(t *testing.T, file string){
		"a bit is flipped": func(t *testing.T, file string) {
			edit(t, file, func(b []byte) []byte {
				const inRecord = "arn:aws:kms:" // of a key, or in a page that is not used any more
				if !bytes.Contains(b, []byte(inRecord)) {
					t.Fatal("the metadata has no key")
				}
				return bytes.ReplaceAll(b, []byte(inRecord), []byte("ern:aws:kms:"))
			})
		},
		"it is cut": func(t *testing.T, file string) {
			used := usedSize(t, file)
			edit(t, file, func(b []byte) []byte { return b[:used-1000] })
		},
		"it is foreign": func(t *testing.T, file string) {
			edit(t, file, func([]byte) []byte { return bytes.Repeat([]byte("foreign "), 8192) })
		},
		"it is lost": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
	}
	site := newSite(t, harness.Options{})
	file := filepath.Join(site.DataDir, "metadata.db")
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	before, err := seal(within(t, 10*time.Second), client)
	if err != nil {
		t.Fatal(err)
	}
	backup := backUp(t, site, server)
	later := newKey(t, client)
	requestID := requestOf(t, client, "CreateKey", later)
	stop(t, server.Process)
	good := content(t, file)

	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, good, 0o600); err != nil {
				t.Fatal(err)
			}
			damage(t, file)
			stderr := refusedStart(t, site)
			if !strings.Contains(stderr, "metadata.db") {
				t.Errorf("the server refuses with %q, want the file named", stderr)
			}
			if name != "it is lost" && !strings.Contains(stderr, "strongroom restore --metadata-only") {
				t.Errorf("the server refuses with %q, want to know what to do", stderr)
			}
			damaged := content(t, file)
			out := mustRun(t, nil, "restore", "--metadata-only", "--data-dir", site.DataDir, backup)
			if !strings.Contains(out, later) || !strings.Contains(out, requestID) {
				t.Errorf("the change after the backup, %s by request %s, is not told:\n%s", later, requestID, out)
			}
			aside := regexp.MustCompile(`kept in (\S+)\.\n`).FindStringSubmatch(out)
			if aside == nil || !bytes.Equal(content(t, aside[1]), damaged) {
				t.Errorf("the damaged metadata was not kept:\n%s", out)
			}
			server := start(t, site)
			client := dial(t, site, server, harness.Admin)
			expectOpens(t, client, []sealed{before})
			if _, err := encrypt(within(t, 10*time.Second), client, later); harness.ErrorInfo(err).GetReason() != "NotFoundException" {
				t.Errorf("a key made after the backup: %v, want NotFoundException", err)
			}
			expectOrphans(t, clientEnv(site, server, harness.Admin), 3, later, ":audit-key/") // both made after the backup
			stop(t, server.Process)
			mustRun(t, nil, "audit", "verify", site.DataDir)
		})
	}
}

// usedSize is how much of a metadata file has pages: bbolt makes it longer ahead of
// time, and what it has not used yet is no loss.
func usedSize(t *testing.T, file string) (size int64) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return size
}

// refusedStart expects that the server ends by itself, and returns its log.
func refusedStart(t *testing.T, site *harness.Site) string {
	t.Helper()
	p, err := site.Spawn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(within(t, 20*time.Second)); err == nil {
		t.Fatal("the server ended well")
	}
	return p.Stderr.String()
}

// requestOf returns the request that made a key.
func requestOf(t *testing.T, client *harness.Client, name, key string) string {
	t.Helper()
	for _, e := range allEvents(t, client) {
		if e.EventName == name && strings.Contains(e.JSON, key) {
			return e.RequestID
		}
	}
	t.Fatalf("there is no event %s of %s", name, key)
	return ""
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	if err := os.WriteFile(path, change(content(t, path)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What a restore cannot do safely it does not begin.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	newKey(t, client)
	backup := backUp(t, site, server)
	other := newSite(t, harness.Options{Token: site.Token})
	stop(t, start(t, other).Process)

	short := filepath.Join(t.TempDir(), "short.backup")
	whole := content(t, backup)
	if err := os.WriteFile(short, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "new")
	holder := fmt.Sprintf("process %d", server.PID())
	tests := []struct {
		name string
		args []string
		says string
	}{
		{"while a server runs", []string{"restore", "--data-dir", site.DataDir, backup}, holder},
		{"only metadata while a server runs", []string{"restore", "--metadata-only", "--data-dir", site.DataDir, backup}, holder},
		{"beside another journal", []string{"restore", "--metadata-only", "--data-dir", other.DataDir, backup}, "another journal"},
		{"without a journal", []string{"restore", "--metadata-only", "--data-dir", empty, backup}, "no audit journal"},
		{"a backup cut short", []string{"restore", "--data-dir", empty, short}, "cut short"},
		{"checking a backup cut short", []string{"backup", "--verify", short}, "cut short"},
		{"what is no backup", []string{"restore", "--data-dir", empty, site.Config}, "no backup"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, err := strongroom(t, nil, test.args...)
			if err == nil || stdout != "" || !strings.Contains(stderr, test.says) {
				t.Errorf("%v: %v, %q, %q; want it refused with %q", test.args, err, stdout, stderr, test.says)
			}
		})
	}
	if left, err := os.ReadDir(empty); err == nil && len(left) > 0 {
		t.Errorf("a refused restore left %v", left)
	}
	if _, stderr, err := strongroom(t, clientEnv(site, server, harness.User), "backup", short+"2"); err == nil || !strings.Contains(stderr, "AccessDenied") {
		t.Errorf("a user who may not: %v, %q", err, stderr)
	}
	if _, err := os.Stat(short + "2"); err == nil {
		t.Error("a refused backup left a file")
	}
}

// A second server on a data directory says who has it.
func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	stderr := refusedStart(t, site)
	for _, words := range []string{fmt.Sprintf("process %d", server.PID()), site.DataDir} {
		if !strings.Contains(stderr, words) {
			t.Errorf("the second server refuses with %q, want it to say %q", stderr, words)
		}
	}
	client := dial(t, site, server, harness.Admin)
	newKey(t, client)
}
