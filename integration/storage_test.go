package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// medium is a directory on a file system of its own that can be made to fail.
type medium struct {
	// fail has new writes fail, heal ends that.
	fail, heal func(t *testing.T)
	// says is the kernel's word for the failure.
	says string
}

// roomy is the size of the test's file systems, in bytes.
const roomy = 64 << 20

// fullDisk is a tmpfs that shrinks to what is in it.
func fullDisk(t *testing.T, dir string) medium {
	t.Helper()
	mount(t, dir, "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", roomy), "tmpfs")
	return medium{
		fail: func(t *testing.T) { t.Helper(); resize(t, dir, used(t, dir)) },
		heal: func(t *testing.T) { t.Helper(); resize(t, dir, roomy) },
		says: "no space left on device",
	}
}

// thinDisk is a file system with room on a block device without: a file that is sparse
// and on a full tmpfs. What is written seems to be, and fails when it is synced.
func thinDisk(t *testing.T, dir string) medium {
	t.Helper()
	backing := t.TempDir()
	m := fullDisk(t, backing)
	image := filepath.Join(backing, "image")
	command(t, "truncate", "-s", "48M", image)
	command(t, "mkfs.ext2", "-q", "-N", "256", image)
	mount(t, dir, "-t", "ext2", "-o", "loop", image)
	if err := os.RemoveAll(filepath.Join(dir, "lost+found")); err != nil {
		t.Fatal(err)
	}
	return medium{
		fail: func(t *testing.T) {
			t.Helper()
			command(t, "sync", "-f", dir) // so that the device has what was written so far
			m.fail(t)
		},
		heal: m.heal,
		says: m.says,
	}
}

// readOnlyDisk becomes read-only for every file that is opened from then on.
func readOnlyDisk(t *testing.T, dir string) medium {
	t.Helper()
	return medium{
		fail: func(t *testing.T) {
			t.Helper()
			mount(t, dir, "--bind", dir)
			command(t, "mount", "-o", "remount,bind,ro", dir)
		},
		heal: func(t *testing.T) { t.Helper(); command(t, "umount", dir) },
		says: "read-only file system",
	}
}

// mount mounts at a directory until the test ends; where that is not allowed the
// test is skipped.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("this test mounts a file system, which is not possible here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		for mounted(dir) {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Errorf("unmounting %s: %v", dir, err)
				return
			}
		}
	})
}

// mounted says whether something is mounted at a directory.
func mounted(dir string) bool {
	list, err := os.ReadFile("/proc/self/mounts")
	return err == nil && strings.Contains(string(list), " "+dir+" ")
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func resize(t *testing.T, dir string, size int64) {
	t.Helper()
	command(t, "mount", "-o", fmt.Sprintf("remount,size=%d", size), dir)
}

// used returns how many bytes of a file system are in use.
func used(t *testing.T, dir string) int64 {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Blocks-s.Bfree) * s.Bsize
}

// Under the journal the disk becomes full or read-only, or fails when it is synced. Requests are refused,
// health says why, all of it ends by itself, and nothing that was answered is missing.
func TestJournalOnAFailingDisk(t *testing.T) {
	for name, c := range map[string]struct {
		make  func(*testing.T, string) medium
		under string // in the data directory
	}{
		"full": {fullDisk, "journal"}, "read-only": {readOnlyDisk, ""}, "thin": {thinDisk, ""},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, harness.Options{})
			m := c.make(t, filepath.Join(site.DataDir, c.under))
			server := start(t, site)
			client := dial(t, site, server, harness.Admin)
			keys := []sealed{mustSeal(t, client), mustSeal(t, client)}
			awaitPrepared(t, site)
			m.fail(t)
			answered := encryptUntilRefused(t, client, keys[0].key)
			if _, err := client.NewKey(within(t, 40*time.Second)); reasonOf(err) != "ServiceUnavailableException" {
				t.Errorf("CreateKey ends with %v, want ServiceUnavailableException", err)
			}
			awaitHealth(t, client, notServing)
			awaitLog(t, server, "not serving:", m.says)
			awaitLog(t, server, "not serving:", filepath.Join(site.DataDir, "journal"))

			m.heal(t)
			awaitHealth(t, client, serving)
			keys = append(keys, mustSeal(t, client))
			expectAnswered(t, answered, allEvents(t, client))
			expectAllAfterRestart(t, site, server, keys, answered)
		})
	}
}

// Under the whole data directory the disk becomes full: whether journal or metadata has
// no room first, requests are refused, all of it ends by itself, and nothing that was
// answered is missing.
func TestDataDirectoryOnAFullDisk(t *testing.T) {
	site := newSite(t, harness.Options{})
	m := fullDisk(t, site.DataDir)
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	keys := []sealed{mustSeal(t, client), mustSeal(t, client)}
	awaitPrepared(t, site)
	m.fail(t)
	answered := encryptUntilRefused(t, client, keys[0].key)
	if key, err := client.NewKey(within(t, 40*time.Second)); err == nil {
		t.Errorf("%s was created", key)
	}
	awaitHealth(t, client, notServing)
	awaitLog(t, server, "not serving:", m.says)

	m.heal(t)
	awaitHealth(t, client, serving)
	keys = append(keys, mustSeal(t, client))
	expectAnswered(t, answered, allEvents(t, client))
	expectAllAfterRestart(t, site, server, keys, answered)
}

// Under the metadata, but not the journal, the disk becomes full: changes are
// refused, keys can be used, health says why, and all of it ends by itself.
func TestMetadataOnAFailingDisk(t *testing.T) {
	for name, make := range map[string]func(*testing.T, string) medium{"full": fullDisk, "thin": thinDisk} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, harness.Options{})
			m := make(t, site.DataDir)
			fullDisk(t, filepath.Join(site.DataDir, "journal"))
			server := start(t, site)
			client := dial(t, site, server, harness.Admin)
			keys := []sealed{mustSeal(t, client)}
			m.fail(t)
			more, err := createUntilRefused(t, client)
			keys = append(keys, more...)
			if reason := reasonOf(err); reason != "KMSInternalException" && reason != "ServiceUnavailableException" {
				t.Errorf("a change that cannot be stored ends with %v (%s)", err, reason)
			}
			awaitHealth(t, client, notServing)
			awaitLog(t, server, "not serving:", m.says)
			awaitLog(t, server, "not serving:", filepath.Join(site.DataDir, "metadata.db"))
			expectOpens(t, client, keys)

			m.heal(t)
			awaitHealth(t, client, serving)
			keys = append(keys, mustSeal(t, client))
			expectAllAfterRestart(t, site, server, keys, nil)
		})
	}
}

func mustSeal(t *testing.T, client *harness.Client) sealed {
	t.Helper()
	s, err := seal(within(t, 20*time.Second), client)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// expectAllAfterRestart expects a good journal, and every key and every answer after
// a restart.
func expectAllAfterRestart(t *testing.T, site *harness.Site, server *harness.Server, keys []sealed, answered []answer) {
	t.Helper()
	stop(t, server.Process)
	mustRun(t, nil, "audit", "verify", site.DataDir)
	server = start(t, site)
	client := dial(t, site, server, harness.Admin)
	expectOpens(t, client, keys)
	expectAnswered(t, answered, allEvents(t, client))
	stop(t, server.Process)
}

// awaitPrepared waits until the journal has the segment ready that comes next, so
// that no file is half written when the disk fails.
func awaitPrepared(t *testing.T, site *harness.Site) {
	t.Helper()
	const size = 16 << 20
	for ctx := within(t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(site.DataDir, "journal", "*.prepared"))
		if err != nil || ctx.Err() != nil {
			t.Fatalf("waiting for a prepared segment: %v, %v", err, context.Cause(ctx))
		}
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.Size() == size {
				return
			}
		}
	}
}

// encryptUntilRefused makes requests, whose events are large, until one is refused
// for want of room for what it has to leave, and returns all answers.
func encryptUntilRefused(t *testing.T, client *harness.Client, key string) []answer {
	t.Helper()
	pairs := map[string]string{"filler": strings.Repeat("x", 8000)}
	var mu sync.Mutex
	var answers []answer
	always := func(int64) bool { return true }
	_, err := harness.Load(within(t, 2*time.Minute), inFlight, always, func(ctx context.Context, _ int) error {
		var header harness.Header
		res, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte(plaintext), EncryptionContext: pairs}, header.Option())
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		answers = append(answers, answer{header.RequestID(), res.GetCiphertextBlob()})
		return nil
	})
	if reasonOf(err) != "ServiceUnavailableException" {
		t.Fatalf("after %d answers the load ended with %v, want ServiceUnavailableException", len(answers), err)
	}
	t.Logf("%d answers before the disk refused", len(answers))
	return answers
}

// createUntilRefused creates keys until one is refused.
func createUntilRefused(t *testing.T, client *harness.Client) ([]sealed, error) {
	t.Helper()
	var keys []sealed
	for range 200 {
		key, err := client.NewKey(within(t, 20*time.Second))
		if err != nil {
			return keys, err
		}
		a, err := encrypt(within(t, 20*time.Second), client, key)
		if err != nil { // no invocations of the key could be reserved
			return keys, err
		}
		keys = append(keys, sealed{key, a.blob})
	}
	t.Fatal("200 keys were created on a disk that cannot be written")
	return nil, nil
}

// reasonOf is the AWS name of the error that a call ended with, however it was wrapped.
func reasonOf(err error) string { return harness.ErrorInfo(err).GetReason() }
