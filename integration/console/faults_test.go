package console

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The HSMs of a system with faults, as harness.Members names them.
const (
	hsmA = "hsm-aaaaaaaaaaa"
	hsmB = "hsm-bbbbbbbbbbb"
)

// faulty makes two HSMs that hold the same keys, each with faults of its own.
func faulty(t *testing.T) ([]harness.Member, []*faultp11.Library) {
	t.Helper()
	softHSM, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	members, dir := harness.Members(2), t.TempDir()
	libraries := make([]*faultp11.Library, len(members))
	for i := range members {
		library, err := faultp11.Open(faultp11.Options{
			Dir: filepath.Join(dir, members[i].HSMID), Path: faultp11.Build(t), SoftHSM: softHSM, PINs: dir,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range library.Env() {
			name, value, _ := strings.Cut(variable, "=")
			members[i].Env[name] = value
		}
		members[i].Library, libraries[i] = library.Path(), library
	}
	return members, libraries
}

// killWorkers ends the processes that have the HSMs' library; they are replaced.
func (s *system) killWorkers(t *testing.T) {
	t.Helper()
	for _, pid := range s.server.Workers() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// smallDisk mounts a file system on a directory, and returns what fills it and what
// makes room again. Where that is not allowed the test is skipped.
func smallDisk(t *testing.T, dir string) (fill, free func()) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("this test mounts a file system, which is not possible here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	resize := func(size string) {
		if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,size="+size, dir).CombinedOutput(); err != nil {
			t.Fatalf("changing the size of a file system: %v: %s", err, out)
		}
	}
	return func() { resize(used(t, dir)) }, func() { resize("64m") }
}

// used is how much of a file system is in use, for mount.
func used(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "df", "--output=used", "--block-size=K", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ToLower(strings.Fields(string(out))[1])
}

// encryptUntilRefused makes requests, whose events are large, until one is refused for want
// of room for its event.
func (s *system) encryptUntilRefused(t *testing.T, key string) {
	t.Helper()
	large := map[string]string{"filler": strings.Repeat("x", 8000)}
	always := func(int64) bool { return true }
	_, err := harness.Load(within(t, time.Minute), 32, always, func(ctx context.Context, _ int) error {
		_, err := s.client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("x"), EncryptionContext: large})
		return err
	})
	if got := harness.ErrorInfo(err).GetReason(); got != "ServiceUnavailableException" {
		t.Fatalf("the load ended with %v, want ServiceUnavailableException", err)
	}
}
