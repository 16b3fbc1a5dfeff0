package hsmpool_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// listed is an object in a form to compare and sort: "id label".
func listed(id []byte, label string) string { return fmt.Sprintf("%x %s", id, label) }

// list lists the objects of a pool, sorted.
func list(tb testing.TB, pool *hsmpool.Pool) []string {
	tb.Helper()
	objects, err := pool.Objects(tb.Context())
	if err != nil {
		tb.Fatalf("Objects: %v", err)
	}
	all := []string{}
	for _, o := range objects {
		if want := pool.Describe()[0].HSMID; o.HSM != want {
			tb.Errorf("object %x is in %q, want %q", o.ID, o.HSM, want)
		}
		all = append(all, listed(o.ID, o.Label))
	}
	slices.Sort(all)
	return all
}

// TestObjects lists keys of ours and of somebody else, as they are at the moment; of a pair the
// private key.
func TestObjects(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	expect := func(want ...string) {
		t.Helper()
		want = append([]string{}, want...)
		slices.Sort(want)
		if diff := gocmp.Diff(want, list(t, pool)); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
	}
	expect()
	one, two := generate(t, pool), generate(t, pool)
	ours := []string{listed(one[:], "arn:test:"+one.String()), listed(two[:], "arn:test:"+two.String())}
	expect(ours...)

	const keygen, aes = "--keygen", "--key-type=AES:32"
	long := strings.Repeat("x", 300)
	h.pkcs11Tool(t, keygen, aes, "--label", "without an id")
	h.pkcs11Tool(t, keygen, aes, "--label", "short", "--id", "77")
	h.pkcs11Tool(t, keygen, aes, "--label", "short again", "--id", "77")
	h.pkcs11Tool(t, keygen, aes, "--label", long, "--id", "78")
	h.pkcs11Tool(t, "--keypairgen", "--key-type=EC:prime256v1", "--label", "pair", "--id", "79")
	before := h.journal.len()
	foreign := []string{" without an id", "77 short", "77 short again", "78 " + long[:256], "79 pair"}
	expect(append(foreign, ours...)...)

	h.pkcs11Tool(t, "--delete-object", "--type", "secrkey", "--label", "without an id")
	expect(append(foreign[1:], ours...)...)
	if entries := h.journal.since(before); len(entries) != 0 {
		t.Errorf("listing leaves the HSM entries %q", lines(entries))
	}
	if _, err := pool.Destroy(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	expect(append(foreign[1:], ours[1])...)
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts", got)
	}
}

// TestManyObjects has more of them than one reply takes.
func TestManyObjects(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.pkcs11Tool(t, "--keygen", "--key-type=AES:32", "--label", strings.Repeat("x", 300), "--id", strings.Repeat("ab", 99))
	const copies = 1001
	h.copyObjects(t, copies)
	objects, err := h.open(t).Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != copies+1 {
		t.Fatalf("%d objects, want %d", len(objects), copies+1)
	}
	want := hsmpool.Object{HSM: objects[0].HSM, ID: bytes.Repeat([]byte{0xab}, 99), Label: strings.Repeat("x", 256)}
	for _, o := range objects {
		if diff := gocmp.Diff(want, o); diff != "" {
			t.Fatalf("an object (-want +got):\n%s", diff)
		}
	}
}

// copyObjects adds copies of the token's newest object: a token with thousands of keys
// takes long to make otherwise.
func (h *hsm) copyObjects(tb testing.TB, copies int) {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "tokens", "*", "*-*.object"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("the token's objects: %q, %v", files, err)
	}
	largest := slices.MaxFunc(files, func(a, b string) int { return cmp.Compare(size(tb, a), size(tb, b)) })
	content, err := os.ReadFile(largest)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range copies {
		path := filepath.Join(filepath.Dir(largest), fmt.Sprintf("00000000-0000-0000-0000-%012d.object", i))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

func size(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// TestObjectsOfADisturbedToken: a listing is whole, or fails.
func TestObjectsOfADisturbedToken(t *testing.T) {
	const find, read = "C_FindObjects", "C_GetAttributeValue"
	for _, test := range []struct {
		name     string
		function string
		rv       ckr.RV
		times    int
		edit     func(*hsmpool.Config)
		class    hsmpool.Class // 0: it succeeds
		restarts uint32
	}{
		{"session lost while finding", find, ckr.SessionHandleInvalid, 1, softhsm, 0, 0},
		{"session lost while reading", read, ckr.SessionHandleInvalid, 1, softhsm, 0, 0},
		{"an attribute that is not told at first", read, ckr.AttributeSensitive, 1, softhsm, 0, 0},
		{"device lost while finding", find, ckr.DeviceError, 1, softhsm, 0, 1},
		{"device lost while reading", read, ckr.DeviceError, 1, softhsm, 0, 1},
		{"a key that is used and not there", read, ckr.ObjectHandleInvalid, 1, softhsm, 0, 1},
		{"a busy HSM", find, ckr.FunctionFailed, 2, cloudhsm, hsmpool.Busy, 0},
		{"not supported", find, ckr.FunctionNotSupported, 2, softhsm, hsmpool.Unsupported, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHSM(t)
			fault := h.disturb(t)
			pool := h.open(t, test.edit)
			id := generate(t, pool)
			fault.put(t, faultp11.Fail(test.function, test.rv).Times(test.times))
			objects, err := pool.Objects(t.Context())
			switch {
			case test.class != 0:
				wantClass(t, err, test.class)
			case err != nil || len(objects) != 1 || !bytes.Equal(objects[0].ID, id[:]):
				t.Errorf("got %v, %v, want the one key", objects, err)
			}
			if got := pool.Describe()[0].Restarts; got != test.restarts {
				t.Errorf("%d restarts, want %d", got, test.restarts)
			}
			fault.clear(t, test.function)
			if got := list(t, pool); len(got) != 1 {
				t.Errorf("afterwards there are %q", got)
			}
		})
	}
}

func softhsm(*hsmpool.Config) {}

// TestObjectThatTellsNothing is one whose attributes cannot be read.
func TestObjectThatTellsNothing(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	generate(t, h.open(t))
	fault.put(t, faultp11.Fail("C_GetAttributeValue", ckr.AttributeTypeInvalid))
	if diff := gocmp.Diff([]string{listed(nil, "")}, list(t, h.open(t))); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// TestObjectsOfALostWorker kills the worker in the middle of a listing, which its
// successor makes, and once more.
func TestObjectsOfALostWorker(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	generate(t, pool)
	for restarts := uint32(1); restarts <= 2; restarts++ {
		fault.put(t, faultp11.Delay("C_GetAttributeValue", time.Minute).Times(1))
		done := make(chan []string)
		go func() {
			objects, err := pool.Objects(t.Context())
			done <- []string{fmt.Sprint(len(objects)), fmt.Sprint(err)}
		}()
		eventually(t, "the listing has begun", func() bool { return fault.Seen("C_GetAttributeValue") > 0 })
		kill(t, pool, syscall.SIGKILL)
		if diff := gocmp.Diff([]string{"1", "<nil>"}, <-done); diff != "" {
			t.Errorf("objects and error (-want +got):\n%s", diff)
		}
		if got := pool.Describe()[0].Restarts; got != restarts {
			t.Errorf("%d restarts, want %d", got, restarts)
		}
	}
}

// TestObjectsDoNotHoldUpRequests seals, makes and destroys keys during a slow listing,
// whose caller then gives up.
func TestObjectsDoNotHoldUpRequests(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	ctx, cancel := context.WithCancel(t.Context())
	fault.put(t, faultp11.Delay("C_FindObjects", 500*time.Millisecond).Times(1))
	done := make(chan error)
	go func() {
		_, err := pool.Objects(ctx)
		done <- err
	}()
	eventually(t, "the listing has begun", func() bool { return fault.Seen("C_FindObjects") > 0 })
	if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
		t.Errorf("Seal: %v", err)
	}
	generate(t, pool)
	cancel()
	wantClass(t, <-done, hsmpool.Timeout)
	if got := list(t, pool); len(got) != 2 {
		t.Errorf("the next listing says %q, want two keys", got)
	}
}

// TestObjectsThatAreAway: that the library finds no keys does not mean that there are
// none.
func TestObjectsThatAreAway(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	generate(t, pool)
	tokens, moved := filepath.Join(h.dir, "tokens"), filepath.Join(h.dir, "moved")
	if err := os.Rename(tokens, moved); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Objects(t.Context())
	wantClass(t, err, hsmpool.Unavailable)
	if err := os.Rename(moved, tokens); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pool is healthy again", func() bool { return pool.Health() == nil })
	if got := list(t, pool); len(got) != 1 {
		t.Errorf("the token is back, with %q", got)
	}
}

// TestObjectsBesideMaking lists while keys are made and destroyed, which SoftHSM cannot do
// at a time.
func TestObjectsBesideMaking(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	var done atomic.Bool
	var listing sync.WaitGroup
	defer listing.Wait()
	defer done.Store(true)
	for range 2 {
		listing.Go(func() {
			for !done.Load() {
				if _, err := pool.Objects(t.Context()); err != nil {
					t.Errorf("Objects: %v", err)
					return
				}
			}
		})
	}
	for range 60 {
		id, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Sign)
		if _, err := pool.Destroy(t.Context(), id); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	}
	done.Store(true)
	listing.Wait()
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts", got)
	}
}
