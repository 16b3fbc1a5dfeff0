package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// call is a management call as the library of faults and the HSM log both show it.
type call struct {
	Function string
	RV       uint64
	Session  uint64
	Object   uint64
}

// The HSM log of a token is what its library was asked since the token was
// made, call for call, over restarts of the worker and of the server.
func TestHSMLogIsWhatTheLibraryWasAsked(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(t.TempDir(), "dev")
	library, trace := traced(t)
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
		"C_InitToken": 2, "C_InitPIN": 2, // also a token for a custom key store
		// Four keys of clients, and at the stop the key pair that signs the digests. What
		// the worker may do with such pairs it finds out with a key and a pair of its own.
		"C_GenerateKey": 5, "C_GenerateKeyPair": 2,
		"C_Login": 5, // the security officer to make each token, three workers
	})
}

// A wrong PIN is tried once, the server says so, and the failure is in the HSM's log.
func TestWrongPINIsTriedOnce(t *testing.T) {
	t.Parallel()
	library, trace := traced(t)
	site := newSite(t, harness.Options{Library: library})
	if err := site.Token.WritePIN("not the PIN"); err != nil {
		t.Fatal(err)
	}
	server := start(t, site)
	awaitHealth(t, dial(t, site, server, harness.Admin), notServing)
	stop(t, server.Process)
	for _, word := range []string{"C_Login", "CKR_PIN_INCORRECT", harness.TokenLabel} {
		if !strings.Contains(server.Stderr.String(), word) {
			t.Errorf("the server's words do not mention %s:\n%s", word, server.Stderr)
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

// What fails is in the HSM's log as it was answered: a key that cannot be
// stored, a library that cannot be initialised, the removal of a key whose
// metadata could not be stored. And the server recovers from it.
func TestHSMLogShowsFailures(t *testing.T) {
	t.Parallel()
	library, trace := traced(t)
	site := newSite(t, harness.Options{Library: library})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)

	hidden := site.Token.Store + ".hidden"
	rename(t, site.Token.Store, hidden)
	noStore := failToCreate(t, client)
	if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err == nil {
		t.Error("a key on a token that is gone was used")
	}
	awaitHealth(t, client, notServing)
	rename(t, hidden, site.Token.Store)
	awaitHealth(t, client, serving)

	// Enough for the journal, which is at its beginning, but not for the
	// metadata.
	limit := limitFileSize(t, server, 12<<10)
	noMetadata := failToCreate(t, client)
	limitFileSize(t, server, limit)
	newKey(t, client)

	calls := expectTraced(t, client, trace)
	expectCalls(t, calls, map[string]int{"C_GenerateKey": 3, "C_DestroyObject": 1})
	expectCaused(t, client, noStore, "C_GenerateKey")
	expectCaused(t, client, noMetadata, "C_GenerateKey", "C_DestroyObject")
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// failToCreate expects that no key can be created and returns the request's id.
func failToCreate(t *testing.T, client *harness.Client) string {
	t.Helper()
	var header harness.Header
	_, err := client.KMS.CreateKey(within(t, 10*time.Second), &kmsv1.CreateKeyRequest{}, header.Option())
	if got := harness.ErrorInfo(err).GetReason(); got != "KMSInternalException" {
		t.Errorf("creating a key ended with %v, want KMSInternalException", err)
	}
	return header.RequestID()
}

// expectCaused expects that a request caused these calls.
func expectCaused(t *testing.T, client *harness.Client, requestID string, want ...string) {
	t.Helper()
	var got []string
	for _, e := range hsmLog(t, client) {
		if e.RequestID == requestID {
			got = append(got, e.Function)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls caused by request %s (-want +got):\n%s", requestID, diff)
	}
}

// traced returns a library around SoftHSM that writes its calls down, and the calls. Where
// it writes to is compiled in, because `strongroom dev` lets nobody choose the worker's
// environment.
func traced(t *testing.T) (string, *faultp11.Library) {
	t.Helper()
	softHSM, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	trace := faultp11.New(t, softHSM)
	library, err := trace.Preset(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return library, trace
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
	kill(t, pid, syscall.SIGKILL)
}

// entry is what the tests look at in an entry of the HSM's log.
type entry struct {
	SequenceNo    uint64
	Function      string
	RV            uint64
	SessionHandle uint64
	PrivateHandle uint64
	RequestID     string
}

// hsmLog returns the HSMs' log, in which the sequence numbers of each HSM must
// have no gaps.
func hsmLog(t *testing.T, client *harness.Client) []entry {
	t.Helper()
	answers, err := client.HSMLog(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	entries, next := make([]entry, len(answers)), map[string]uint64{}
	for i, a := range answers {
		if err := json.Unmarshal([]byte(a.GetEntryJson()), &entries[i]); err != nil {
			t.Fatalf("entry %d is no JSON: %v: %s", i, err, a.GetEntryJson())
		}
		if want := next[a.GetHsmId()]; entries[i].SequenceNo != want {
			t.Errorf("entry %d, of %s, has the sequence number %d, want %d", i, a.GetHsmId(), entries[i].SequenceNo, want)
		}
		next[a.GetHsmId()]++
	}
	return entries
}

// expectTraced compares the HSM log with the trace and returns the calls.
func expectTraced(t *testing.T, client *harness.Client, trace *faultp11.Library) []call {
	t.Helper()
	var logged []call
	for _, e := range hsmLog(t, client) {
		logged = append(logged, call{e.Function, e.RV, e.SessionHandle, e.PrivateHandle})
	}
	if diff := cmp.Diff(readTrace(t, trace), logged); diff != "" {
		t.Errorf("the HSM log (+) is not what the library was asked (-):\n%s", diff)
	}
	return logged
}

// readTrace returns the management calls that were made.
func readTrace(t *testing.T, trace *faultp11.Library) []call {
	t.Helper()
	all, err := trace.Calls()
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	for _, c := range all {
		if manages(c) {
			calls = append(calls, call{c.Function, uint64(c.RV), c.Session, c.Object})
		}
	}
	return calls
}

// manages tells whether a call is one that the HSM log has.
func manages(c faultp11.Call) bool {
	switch c.Function {
	case "C_Initialize", "C_Finalize", "C_InitToken", "C_InitPIN", "C_Login", "C_Logout",
		"C_SetPIN", "C_CreateObject", "C_CopyObject", "C_SetAttributeValue", "C_DestroyObject",
		"C_GenerateKey", "C_GenerateKeyPair", "C_UnwrapKey", "C_DeriveKey":
		return true
	case "C_WrapKey":
		return !slices.Contains(c.Remarks, "length-only")
	}
	return false
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
