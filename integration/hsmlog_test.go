package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// call is a management call as the tracing library and the HSM log both show it.
type call struct {
	Function string
	RV       uint64
	Session  uint64
	Object   uint64
}

// The HSM log of a token is what its library was asked since the token was
// made, call for call, over restarts of the worker and of the server.
func TestHSMLogIsWhatTheLibraryWasAsked(t *testing.T) {
	dataDir, trace := filepath.Join(t.TempDir(), "dev"), filepath.Join(t.TempDir(), "trace")
	library := buildTracer(t, trace)
	server, client := startDev(t, dataDir, "--library", library)
	key := newKey(t, client)
	newKey(t, client)
	killWorker(t, server)
	if err := harness.RoundTrip(within(t, 30*time.Second), client, key); err != nil {
		t.Fatal(err)
	}
	newKey(t, client)
	expectTraced(t, client, trace)

	stop(t, server.Process) // logs out and finalizes
	_, client = startDev(t, dataDir, "--library", library)
	newKey(t, client)
	calls := expectTraced(t, client, trace)
	expectCalls(t, calls, map[string]int{
		"C_InitToken": 1, "C_InitPIN": 1, "C_GenerateKey": 4,
		"C_Login": 4, // the security officer to make the token, three workers
	})
}

// A wrong PIN is tried once, and the failure is in the HSM's log.
func TestWrongPINIsTriedOnce(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	site := newSite(t, harness.Options{Library: buildTracer(t, trace)})
	if err := site.Token.WritePIN("not the PIN"); err != nil {
		t.Fatal(err)
	}
	p, err := site.Spawn()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(within(t, 30*time.Second)); err == nil {
		t.Errorf("a server with a wrong PIN ended well:\n%s", p.Stderr)
	}
	for _, word := range []string{"C_Login", "CKR_PIN_INCORRECT", harness.TokenLabel} {
		if !strings.Contains(p.Stderr.String(), word) {
			t.Errorf("the server's last words do not mention %s:\n%s", word, p.Stderr)
		}
	}
	const pinIncorrect = 0xa0
	if got := failedLogins(readTrace(t, trace)); len(got) != 1 || got[0].RV != pinIncorrect {
		t.Errorf("failed logins: %v, want one with code %d", got, pinIncorrect)
	}

	if err := site.Token.WritePIN(site.Token.PIN); err != nil {
		t.Fatal(err)
	}
	client := dial(t, site, start(t, site), harness.Admin)
	newKey(t, client)
	calls := expectTraced(t, client, trace)
	if got := failedLogins(calls); len(got) != 1 {
		t.Errorf("failed logins in the HSM log: %v, want one", got)
	}
}

// buildTracer compiles the tracing library around SoftHSM. Where it writes to
// is compiled in, because `strongroom dev` lets nobody choose the worker's
// environment.
func buildTracer(t *testing.T, trace string) string {
	t.Helper()
	softHSM, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env := filepath.Join(dir, "env.c")
	source := fmt.Sprintf("#include <stdlib.h>\n__attribute__((constructor)) static void set(void) {\n"+
		"\tsetenv(\"P11TRACE_LIBRARY\", %q, 1);\n\tsetenv(\"P11TRACE_LOG\", %q, 1);\n}\n", softHSM, trace)
	if err := os.WriteFile(env, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(dir, "p11trace.so")
	if err := harness.Compile(within(t, time.Minute), library, "-shared", "-fPIC", "p11trace/p11trace.c", env); err != nil {
		t.Fatal(err)
	}
	return library
}

func startDev(t *testing.T, dataDir string, args ...string) (*harness.Server, *harness.Client) {
	t.Helper()
	server, err := harness.StartDev(within(t, 30*time.Second), binary, dataDir, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server.Process) })
	client, err := harness.DialDev(server.Address, dataDir)
	return server, closing(t, client, err)
}

func killWorker(t *testing.T, server *harness.Server) {
	t.Helper()
	pid, err := server.Worker(within(t, 10*time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// expectTraced compares the HSM log with the trace and returns the calls.
func expectTraced(t *testing.T, client *harness.Client, trace string) []call {
	t.Helper()
	entries, err := client.HSMLog(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var logged []call
	for i, e := range entries {
		var entry struct {
			SequenceNo    uint64
			Function      string
			RV            uint64
			SessionHandle uint64
			PrivateHandle uint64
		}
		if err := json.Unmarshal([]byte(e.GetEntryJson()), &entry); err != nil {
			t.Fatalf("entry %d is no JSON: %v: %s", i, err, e.GetEntryJson())
		}
		if entry.SequenceNo != uint64(i) {
			t.Errorf("entry %d has the sequence number %d", i, entry.SequenceNo)
		}
		logged = append(logged, call{entry.Function, entry.RV, entry.SessionHandle, entry.PrivateHandle})
	}
	if diff := cmp.Diff(readTrace(t, trace), logged); diff != "" {
		t.Errorf("the HSM log (+) is not what the library was asked (-):\n%s", diff)
	}
	return logged
}

// readTrace reads what the tracing library has written.
func readTrace(t *testing.T, path string) []call {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	var calls []call
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c call
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %x %d", &c.Function, &c.RV, &c.Session, &c.Object); err != nil {
			t.Fatalf("%s: line %q: %v", path, lines.Text(), err)
		}
		calls = append(calls, c)
	}
	return calls
}

func failedLogins(calls []call) []call {
	var failed []call
	for _, c := range calls {
		if c.Function == "C_Login" && c.RV != 0 {
			failed = append(failed, c)
		}
	}
	return failed
}

// expectCalls expects so many successful calls of each of the functions.
func expectCalls(t *testing.T, calls []call, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for _, c := range calls {
		if _, counted := want[c.Function]; counted && c.RV == 0 {
			got[c.Function]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("successful calls (-want +got):\n%s", diff)
	}
}
