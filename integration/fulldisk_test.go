package integration

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// On a full disk no key is created that would be gone after a restart: SoftHSM makes
// such a key without an error, and the server refuses it.
func TestKeyOnAFullDisk(t *testing.T) {
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	keys := []string{newKey(t, client)}
	for _, room := range []uint64{0, 4, 100, 300, 600} {
		t.Run(fmt.Sprintf("%d bytes left", room), func(t *testing.T) {
			limitFiles(t, server, room)
			if key, err := client.NewKey(within(t, 10*time.Second)); err == nil {
				t.Errorf("%s was created", key)
			}
			if err := harness.RoundTrip(within(t, 10*time.Second), client, keys[0]); err != nil {
				t.Errorf("using an older key: %v", err)
			}
			limitFiles(t, server, unix.RLIM_INFINITY)
			keys = append(keys, newKey(t, client))
		})
	}
	if _, err := server.Stderr.Await(within(t, 10*time.Second), server.Exited(), "probably full"); err != nil {
		t.Errorf("the log does not name the cause: %v", err)
	}

	killWorker(t, server)
	for _, key := range keys {
		if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
			t.Errorf("after a restart of the worker, using %s: %v", key, err)
		}
	}
	if got := describeHSM(t, client).GetKeys(); int(got) != len(keys) {
		t.Errorf("there are %d keys on the token, want %d", got, len(keys))
	}
}

// limitFiles lets the server's worker write no file beyond size bytes, as if the disk
// were full by then.
func limitFiles(t *testing.T, server *harness.Server, size uint64) {
	t.Helper()
	pid, err := server.Worker(within(t, 10*time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatalf("limiting the worker's files: %v", err)
	}
}
