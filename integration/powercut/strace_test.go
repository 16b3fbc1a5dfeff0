package powercut

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// requireStrace skips the test where the system does not let a process be traced.
// That strace is missing is a failure: deploy/install-deps.sh --test installs it.
func requireStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatalf("%v; deploy/install-deps.sh --test installs it", err)
	}
	// The worker's memory is readable only for who may trace anything.
	out := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "--seccomp-bpf", "-o", out, "-e", "trace=write", "true")
	if text, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(text), "not permitted") {
			t.Skipf("this system does not permit tracing: %s", text)
		}
		t.Fatalf("strace: %v\n%s", err, text)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may trace the HSM worker, which keeps its memory to itself")
	}
}
