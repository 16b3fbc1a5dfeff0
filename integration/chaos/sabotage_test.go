package chaos

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// sabotage is something wrong that a check has to find, in a world where all is well.
type sabotage struct {
	name string
	// do makes it wrong, and returns what makes it right again.
	do func(t *testing.T, w *world) func()
	// check is what looks, and finds is what it has to find: the beginning of a violation.
	check func(context.Context, *world) error
	finds string
}

func trail(ctx context.Context, w *world) error {
	_, err := w.checkTrail(ctx)
	return err
}

func logs(ctx context.Context, w *world) error {
	_, err := w.checkLogs(ctx)
	return err
}

func metadata(ctx context.Context, w *world) error {
	w.checkMetadata(ctx)
	return nil
}

func ciphertexts(ctx context.Context, w *world) error {
	w.checkCiphertexts(ctx, true)
	return nil
}

func orphans(ctx context.Context, w *world) error { return w.checkLostKeys(ctx) }

func secrecy(ctx context.Context, w *world) error {
	events, err := w.checkTrail(ctx)
	if err != nil {
		return err
	}
	return w.checkSecrecy(events, nil)
}

func well(ctx context.Context, w *world) error {
	w.Recovery = 100 * time.Millisecond
	if err := w.settle(ctx); err != nil {
		w.history.object("recovery", nil, "%v", err)
	}
	return nil
}

// sabotages has one for each check that is made of a world; those of pure functions are
// in checks_test.go.
func sabotages() []sabotage {
	return []sabotage{
		{"a ciphertext of another plaintext", func(_ *testing.T, w *world) func() {
			s := w.clients[0].sealed[0]
			s.sum[0] ^= 1
			return func() { s.sum[0] ^= 1 }
		}, ciphertexts, "ciphertexts: client 1"},
		{"a ciphertext that does not decrypt", func(_ *testing.T, w *world) func() {
			s := w.clients[0].sealed[0]
			s.blob[len(s.blob)-1] ^= 1
			return func() { s.blob[len(s.blob)-1] ^= 1 }
		}, ciphertexts, "outcomes: client 1"},
		{"a MAC of another message", func(_ *testing.T, w *world) func() {
			m := w.checker.macs[0]
			m.message[0] ^= 1
			return func() { m.message[0] ^= 1 }
		}, ciphertexts, "outcomes: client 0"},
		{"a key that does not exist", func(_ *testing.T, w *world) func() {
			k := *w.checker.keys[0]
			k.arn = k.arn[:len(k.arn)-36] + "00000000-0000-4000-8000-000000000000"
			w.history.keys = append(w.history.keys, &k)
			return func() { w.history.keys = w.history.keys[:len(w.history.keys)-1] }
		}, metadata, "keys: client 0"},
		{"a key that nobody was told of", func(_ *testing.T, w *world) func() {
			all := w.history.keys
			w.history.keys = slices.Clone(all[1:])
			return func() { w.history.keys = all }
		}, metadata, "keys: arn:"},
		{"a key in another state", func(_ *testing.T, w *world) func() {
			k := w.checker.keys[0]
			k.states = []kmsv1.KeyState{disabled}
			return func() { k.states = []kmsv1.KeyState{enabled} }
		}, metadata, "states: client 0"},
		{"an alias of another key", func(_ *testing.T, w *world) func() {
			w.history.aliases = append(w.history.aliases, &alias{name: "alias/none", targets: w.checker.keys[:1]})
			return func() { w.history.aliases = w.history.aliases[:len(w.history.aliases)-1] }
		}, metadata, "aliases: alias/none"},
		{"an answer without an event", func(_ *testing.T, w *world) func() {
			w.history.add(&request{Operation: "Encrypt", ID: "made-up"})
			return w.forgetLast
		}, trail, `events: client 0, step 0: Encrypt  (request "made-up")`},
		{"an event without a request", func(_ *testing.T, w *world) func() {
			all := w.history.requests
			w.history.requests = slices.Clone(all[1:])
			return func() { w.history.requests = append(all, w.history.requests[len(all)-1:]...) }
		}, trail, "events: nobody has asked"},
		{"a call without an entry", func(t *testing.T, w *world) func() {
			return withLine(t, filepath.Join(w.hsms[0].dir, "log"), "1 1 C_GenerateKey 0 0x5 7 0 -\n")
		}, logs, "HSM log: hsm-chaosmembera: the log lacks"},
		{"an entry without a call", func(t *testing.T, w *world) func() {
			return withoutLine(t, filepath.Join(w.hsms[0].dir, "log"), "C_GenerateKey ")
		}, logs, "HSM log: hsm-chaosmembera: no such call"},
		{"key material that is gone", func(t *testing.T, w *world) func() {
			return hideObject(t, w)
		}, orphans, "orphans: key material is lost"},
		{"a secret in a trail", func(_ *testing.T, w *world) func() {
			w.history.secrets = append(w.history.secrets, []byte(`"eventSource":"kms.amazonaws.com"`))
			return func() { w.history.secrets = w.history.secrets[:len(w.history.secrets)-1] }
		}, secrecy, "secrets: data key"},
		{"an HSM that stays away", func(t *testing.T, w *world) func() {
			if err := w.hsms[0].faults.Add(faultp11.Absent()); err != nil {
				t.Fatal(err)
			}
			return func() { w.calmDown(t) }
		}, well, "recovery: not well again"},
		{"a journal that was altered", func(t *testing.T, w *world) func() {
			segments, err := filepath.Glob(filepath.Join(w.site.DataDir, "journal", "*.journal"))
			if err != nil || len(segments) == 0 {
				t.Fatalf("the journal's segments: %v, %v", segments, err)
			}
			return alter(t, segments[0], "eventVersion", "eventVersiom")
		}, func(ctx context.Context, w *world) error { w.checkJournal(ctx); return nil }, "audit verify"},
	}
}

// Each check finds what it is for.
func TestEachCheckFinds(t *testing.T) {
	w := quietWorld(t)
	for _, s := range sabotages() {
		t.Run(s.name, func(t *testing.T) {
			w.expect(t, s, "")
			undo := s.do(t, w)
			w.expect(t, s, s.finds)
			undo()
			w.expect(t, s, "")
		})
	}
}

// quietWorld is a world that has had some load and no faults, with its clients waiting.
func quietWorld(t *testing.T) *world {
	t.Helper()
	o := options{Binary: binary, Library: faultp11.Build(t), Dir: t.TempDir(), Seed: fixedSeed, Members: 1, Clients: 1, Recovery: recovery, Log: t.Logf}
	w, err := newWorld(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	if err := w.people(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.checker.generateMAC(t.Context())
	for range 3 {
		w.clients[0].keys = w.checker.keys[:1]
		w.clients[0].encrypt(t.Context())
	}
	return w
}

// expect expects of a sabotage's check that it finds what it should, or nothing.
func (w *world) expect(t *testing.T, s sabotage, finds string) {
	t.Helper()
	w.history.violations = nil
	w.Recovery = recovery
	if err := s.check(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	found := w.history.found()
	if finds == "" && len(found) > 0 {
		t.Fatalf("while all is well: %v", found)
	}
	if finds != "" && !slices.ContainsFunc(found, func(v violation) bool { return strings.HasPrefix(v.String(), finds) }) {
		t.Errorf("found %v, want %q", found, finds)
	}
}

// calmDown ends all faults and waits until all is well.
func (w *world) calmDown(t *testing.T) {
	t.Helper()
	if err := w.hsms[0].calm(); err != nil {
		t.Fatal(err)
	}
	w.Recovery = recovery
	if err := w.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// forgetLast drops the made-up request from the history.
func (w *world) forgetLast() {
	w.history.requests = slices.DeleteFunc(w.history.requests, func(r *request) bool { return r.ID == "made-up" })
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func withLine(t *testing.T, path, line string) func() {
	t.Helper()
	before := read(t, path)
	write(t, path, before+line)
	return func() { write(t, path, strings.Replace(read(t, path), line, "", 1)) }
}

func withoutLine(t *testing.T, path, word string) func() {
	t.Helper()
	before := read(t, path)
	start := strings.LastIndex(before, word)
	start = strings.LastIndex(before[:start], "\n") + 1
	end := start + strings.Index(before[start:], "\n") + 1
	write(t, path, before[:start]+before[end:])
	return func() { write(t, path, read(t, path)+before[start:end]) }
}

// alter replaces some bytes of a file by as many others, in place.
func alter(t *testing.T, path, what, by string) func() {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() }) //nolint:errcheck // nothing depends on it
	at := int64(strings.Index(read(t, path), what))
	set := func(text string) {
		if _, err := file.WriteAt([]byte(text), at); err != nil {
			t.Fatal(err)
		}
	}
	set(by)
	return func() { set(what) }
}

// hideObject takes an object of the token away. SoftHSM sees it again only in the next
// worker.
func hideObject(t *testing.T, w *world) func() {
	t.Helper()
	objects, err := filepath.Glob(filepath.Join(w.site.Token.Store, "*", "*.object"))
	if err != nil {
		t.Fatal(err)
	}
	objects = slices.DeleteFunc(objects, func(path string) bool { return filepath.Base(path) == "token.object" })
	hidden := objects[0] + ".hidden"
	if err := os.Rename(objects[0], hidden); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(hidden, objects[0]); err != nil {
			t.Fatal(err)
		}
		if err := w.restart(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		w.calmDown(t)
	}
}

// A run finds faults that the server does not stand: an HSM that never tells the IV that
// it has used, so that what it encrypts is lost; and those that it would stand, had it not
// been built without the defence.
func TestChaosFindsFaults(t *testing.T) {
	undefended := buildUndefended(t)
	for _, test := range []struct {
		name    string
		binary  string
		without defence.Defence
		fault   fault
		finds   func(violation) bool
	}{
		{"an IV that is lost", binary, "", fault{calls: []faultp11.Fault{faultp11.LostIV()}}, isLostCiphertext},
		{"bad input taken for a broken HSM", undefended, defence.Canary, fault{calls: []faultp11.Fault{faultp11.OwnIV()}}, isMisjudged},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.binary == "" {
				t.Skip("only in long runs: it needs a program of its own")
			}
			test.fault.kind, test.fault.name, test.fault.lasts = test.name, test.name, 100
			o := options{
				Binary: test.binary, Library: faultp11.Build(t), Dir: t.TempDir(), Seed: fixedSeed, Members: 1, Clients: 4,
				Rounds: 1, FaultSteps: 100, CalmSteps: 100, Recovery: 5 * time.Second, Log: t.Logf,
				Env:    []string{"STRONGROOM_WITHOUT=" + string(test.without)},
				Faults: func(*rand.Rand, options) []*fault { return []*fault{&test.fault} },
			}
			_, found, err := run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(found, test.finds) {
				t.Errorf("found %v", found)
			}
		})
	}
}

// isLostCiphertext says that a ciphertext that was answered does not decrypt.
func isLostCiphertext(v violation) bool {
	return v.check == "outcomes" && v.by.Operation == "Decrypt" && v.by.Outcome == invalidCiphertext
}

// isMisjudged says that a bad ciphertext was not answered as what it is.
func isMisjudged(v violation) bool {
	return v.check == "outcomes" && v.by.Operation == "Decrypt" && away(v.by.Outcome, secret)
}

// buildUndefended builds the program so that defences can be left off, for long runs.
func buildUndefended(t *testing.T) string {
	t.Helper()
	if os.Getenv("STRONGROOM_CHAOS") == "" {
		return ""
	}
	path := filepath.Join(filepath.Dir(binary), "undefended")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-tags", "undefended", "-o", path, "./cmd/strongroom")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building strongroom: %v\n%s", err, out)
	}
	return path
}
