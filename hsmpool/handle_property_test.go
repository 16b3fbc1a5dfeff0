package hsmpool_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestHandlesNameTheirKeys makes, uses and destroys keys in random orders, while the
// workers of two members are killed and their sessions and logins are lost. The library
// gives the handle of a key that is gone to the next one, and other handles after each
// start. Whatever is sealed under a key opens under that key and no other: a third
// worker says so, on the same token, whose library does nothing of the kind.
func TestHandlesNameTheirKeys(t *testing.T) {
	t.Parallel()
	w := newTwoMembers(t)
	for w.steps < w.limit {
		rapid.Check(t, w.round)
	}
	t.Logf("%d steps: %v", w.steps, w.done)
}

// twoMembers are a pool of two members on one token, and a pool that reads what it made.
type twoMembers struct {
	tb           testing.TB
	pool, reader *hsmpool.Pool
	faults       []faults
	steps, limit int
	done         map[string]int // steps, by what they did
}

func newTwoMembers(tb testing.TB) *twoMembers {
	h := newHSM(tb)
	w := &twoMembers{tb: tb, reader: h.open(tb), limit: 150, done: map[string]int{}}
	if n, err := strconv.Atoi(os.Getenv("STRONGROOM_STEPS")); err == nil {
		w.limit = n
	}
	var members []hsmpool.Member
	for i := range 2 {
		library := faultp11.New(tb, softHSM)
		if err := library.Set(faultp11.ReuseHandles()); err != nil {
			tb.Fatal(err)
		}
		w.faults = append(w.faults, faults{library})
		members = append(members, hsmpool.Member{
			HSMID: fmt.Sprintf("hsm-%d", i), Library: library.Path(), Env: append(library.Env(), append(h.config.Env, "STRONGROOM_WITHOUT="+os.Getenv("STRONGROOM_WITHOUT"))...),
		})
	}
	w.pool = h.open(tb, func(c *hsmpool.Config) { c.Members = members })
	return w
}

// storedKey is what the test knows of a key of the token.
type storedKey struct {
	id     hsmpool.ObjectID
	sealed []message
	fate   fate
}

// fate tells whether a key is in the token.
type fate int

const (
	alive fate = iota
	destroyed
	// stolen: destroyed by another process than the pool's. A library may go on using
	// its memory of the key.
	stolen
)

func isAny(*storedKey) bool         { return true }
func isAlive(k *storedKey) bool     { return k.fate == alive }
func isDestroyed(k *storedKey) bool { return k.fate == destroyed }
func hasSealed(k *storedKey) bool   { return len(k.sealed) > 0 }

// message is what was sealed.
type message struct {
	plaintext string
	sealed    hsmpool.Sealed
}

// round is one random sequence of steps, on keys of its own.
type round struct {
	*twoMembers
	keys []*storedKey
}

// round carries out a sequence, unless there were enough.
func (w *twoMembers) round(t *rapid.T) {
	if w.steps >= w.limit {
		return
	}
	r := &round{twoMembers: w}
	actions := map[string]func(*rapid.T){}
	for name, action := range map[string]func(*rapid.T){
		"generate": r.generate, "generate again": r.generateAgain, "seal": r.seal, "seal more": r.seal, "open": r.open, "open more": r.open,
		"destroy": r.destroy, "steal": r.steal, "fault": r.fault,
	} {
		actions[name] = func(t *rapid.T) {
			action(t)
			w.steps++
			w.done[name]++
		}
	}
	t.Repeat(actions)
	r.end(t)
}

// end destroys the keys that are left, and looks whether any is there afterwards.
func (r *round) end(t *rapid.T) {
	for _, k := range r.keys {
		if k.fate == alive {
			r.remove(t, r.pool, k)
		}
	}
	there := r.list(t)
	for _, k := range r.keys {
		if there[string(k.id[:])] {
			t.Fatalf("the key %v is there after its destruction", k.id)
		}
	}
}

// list returns the ids of the keys in the token. The reader's library forgets the others.
func (r *round) list(t *rapid.T) map[string]bool {
	objects, err := r.reader.Objects(r.tb.Context())
	if err != nil {
		t.Fatalf("Objects: %v", err)
	}
	ids := map[string]bool{}
	for _, o := range objects {
		ids[string(o.ID)] = true
	}
	return ids
}

func (r *round) generate(t *rapid.T) { r.make(t, &storedKey{id: newID()}) }

// generateAgain makes another key of an id that the pool has destroyed.
func (r *round) generateAgain(t *rapid.T) {
	k := r.pick(t, isDestroyed)
	r.list(t)
	id := k.id
	k.id = newID() // nothing has its id any more
	r.make(t, &storedKey{id: id})
}

// make makes a key, which both members have to know. One that meets a fault is not
// repeated, nor used.
func (r *round) make(t *rapid.T, k *storedKey) {
	eventually(r.tb, "both members serve", func() bool { return r.pool.Await(r.tb.Context(), 2) == nil })
	_, err := r.pool.Generate(r.tb.Context(), hsmpool.GenerateRequest{ID: k.id, Label: "k", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	if hasClass(err, hsmpool.Unavailable) {
		return
	}
	if err != nil {
		t.Fatalf("Generate: %v", err)
	}
	r.keys = append(r.keys, k)
}

// pick chooses one of the keys that are such.
func (r *round) pick(t *rapid.T, such func(*storedKey) bool) *storedKey {
	var keys []*storedKey
	for _, k := range r.keys {
		if such(k) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		t.Skip("no such key")
	}
	return keys[rapid.IntRange(0, len(keys)-1).Draw(t, "key")]
}

func (r *round) seal(t *rapid.T) {
	k := r.pick(t, isAny)
	m := message{plaintext: fmt.Sprintf("%v %d", k.id, r.steps)}
	var err error
	m.sealed, err = r.pool.Seal(r.tb.Context(), k.id, []byte(m.plaintext), nil)
	switch {
	case err == nil && k.fate == destroyed:
		t.Fatalf("Seal has used the key %v, which is destroyed; it opens under %v", k.id, r.owners(m))
	case err == nil:
		k.sealed = append(k.sealed, m)
		r.expectOwner(t, k, m)
	case !hasClass(err, hsmpool.Unavailable) && (k.fate == alive || !hasClass(err, hsmpool.ObjectMissing)):
		t.Fatalf("Seal under the key %v: %v", k.id, err)
	}
}

// expectOwner expects that a message opens under its key, if that is there, and no other.
func (r *round) expectOwner(t *rapid.T, k *storedKey, m message) {
	var want []hsmpool.ObjectID
	if k.fate == alive {
		want = append(want, k.id)
	}
	if got := r.owners(m); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("what was sealed under the key %v opens under %v", k.id, got)
	}
}

// owners returns the keys that open a message.
func (r *round) owners(m message) (ids []hsmpool.ObjectID) {
	for _, k := range r.keys {
		if k.fate != alive {
			continue
		}
		opened, err := r.reader.Open(r.tb.Context(), k.id, m.sealed.IV[:], m.sealed.Ciphertext, nil)
		if err == nil && string(opened.Plaintext) == m.plaintext {
			ids = append(ids, k.id)
		} else if err == nil || !hasClass(err, hsmpool.Caller) {
			r.tb.Errorf("reading under the key %v: %q, %v", k.id, opened.Plaintext, err)
		}
	}
	return ids
}

// open opens a message under its key or another one.
func (r *round) open(t *rapid.T) {
	from, k := r.pick(t, hasSealed), r.pick(t, isAny)
	m := from.sealed[len(from.sealed)-1]
	opened, err := r.pool.Open(r.tb.Context(), k.id, m.sealed.IV[:], m.sealed.Ciphertext, nil)
	missing := hasClass(err, hsmpool.ObjectMissing)
	right := err == nil && k == from && string(opened.Plaintext) == m.plaintext || hasClass(err, hsmpool.Caller) && k != from
	if hasClass(err, hsmpool.Unavailable) {
		return
	}
	if k.fate == alive && !right || k.fate == destroyed && !missing || k.fate == stolen && !right && !missing {
		t.Fatalf("what was sealed under the key %v (%d), opened under %v (%d): %q, %v", from.id, from.fate, k.id, k.fate, opened.Plaintext, err)
	}
}

func (r *round) destroy(t *rapid.T) {
	k := r.pick(t, isAlive)
	r.remove(t, r.pool, k)
	k.fate = destroyed
}

// steal destroys a key without the pool.
func (r *round) steal(t *rapid.T) {
	k := r.pick(t, isAlive)
	r.remove(t, r.reader, k)
	k.fate = stolen
}

// remove destroys a key, asking again after a fault.
func (r *round) remove(t *rapid.T, pool *hsmpool.Pool, k *storedKey) {
	_, err := pool.Destroy(r.tb.Context(), k.id)
	for hasClass(err, hsmpool.Unavailable) {
		_, err = pool.Destroy(r.tb.Context(), k.id)
	}
	if err != nil && !hasClass(err, hsmpool.ObjectMissing) {
		t.Fatalf("Destroy: %v", err)
	}
}

// fault has a member lose its worker, its sessions or its login. It is rare, because
// each one takes as long as a worker's start.
func (r *round) fault(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "rarely") > 0 {
		t.Skip("no fault")
	}
	member := rapid.IntRange(0, 1).Draw(t, "member")
	switch rapid.SampledFrom([]string{"worker", "worker", "sessions", "login"}).Draw(t, "lost") {
	case "worker":
		r.kill(t, member)
	case "sessions":
		r.faults[member].put(r.tb, faultp11.SessionsInvalid())
	case "login":
		r.faults[member].put(r.tb, faultp11.LoggedOut())
	}
}

// kill kills the worker of a member, and waits until the pool knows.
func (r *round) kill(t *rapid.T, member int) {
	pid := r.pool.Describe()[member].WorkerPID
	if pid == 0 {
		t.Skip("no worker")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	eventually(r.tb, "the pool knows", func() bool { return r.pool.Describe()[member].WorkerPID != pid })
}

func hasClass(err error, class hsmpool.Class) bool {
	var e *hsmpool.Error
	return errors.As(err, &e) && e.Class == class
}
