package keystore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const day = 24 * time.Hour

// The bounds of what the model has at one time.
const (
	maxModelKeys    = 8
	maxModelSecrets = 16
	modelAliases    = 6
)

// model is what a service that was asked the same holds and answers. It knows
// nothing but the table of key states.
type model struct {
	keys    []*modelKey          // some deleted ones too
	named   map[string]*modelKey // by the alias
	secrets []modelSecret
}

type modelKey struct {
	id, arn     string
	state       kmsv1.KeyState
	description string
	due         time.Time // of its deletion
	deleted     bool

	grants []modelGrant
	tags   map[string]string
	shared bool // by its policy

	rotations int
	external  bool   // its material is imported
	material  []byte // that was imported first; nil: none was
	present   bool   // the material, now
}

// modelSecret is something that was encrypted.
type modelSecret struct {
	key                   *modelKey
	ciphertext, plaintext []byte
	context               map[string]string
}

// answer is what an operation of a sort answers about a key, which may be none.
func (r row) answer(k *modelKey) Kind {
	if k == nil || k.deleted {
		return notFound
	}
	return r.in(k.state)
}

// walk is a random walk through the operations, on a service and on the model.
type walk struct {
	*service
	model
	clock  *clock
	random *rand.Rand
	steps  []string       // the last ones
	kinds  map[string]int // how often each operation was answered how
}

// TestTheServiceAnswersAsTheModel does random operations. STRONGROOM_STEPS is
// how many, STRONGROOM_SEED makes them the same again.
func TestTheServiceAnswersAsTheModel(t *testing.T) {
	t.Parallel()
	steps, seed := fromEnv(t, "STRONGROOM_STEPS", 300), fromEnv(t, "STRONGROOM_SEED", rand.Uint64())
	w := &walk{service: newService(t), clock: new(clock), random: rand.New(rand.NewPCG(seed, 0)), kinds: map[string]int{}}
	w.model.named, w.now = map[string]*modelKey{}, w.clock.now
	w.initToken()
	w.start()
	defer w.stop()
	defer func() {
		t.Logf("%d steps, seed %d", steps, seed)
		for _, what := range slices.Sorted(maps.Keys(w.kinds)) {
			t.Logf("%6d  %s", w.kinds[what], what)
		}
		if t.Failed() {
			t.Logf("the last steps:\n%s", strings.Join(w.steps, "\n"))
		}
	}()
	for n := range steps {
		w.step()
		if n%100 == 99 {
			w.compare()
		}
		if t.Failed() {
			return
		}
	}
	w.compare()
	w.must(w.atRest(t.Context(), func(context.Context) error {
		w.expectOneTruth()
		return nil
	}))
}

func fromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// said notes a step and expects the kind of its answer.
func (w *walk) said(operation, about string, err error, want Kind) {
	w.t.Helper()
	got := kindOf(err)
	answer := "ok"
	if got != ok {
		answer = strings.TrimPrefix(got.String(), "ERROR_KIND_")
	}
	w.kinds[operation+" "+answer]++
	w.note("%s %s: %s", operation, about, answer)
	if got != want {
		w.t.Errorf("%s %s: %v, want the kind %v", operation, about, err, want)
	}
}

func (w *walk) note(format string, args ...any) {
	w.steps = append(w.steps, fmt.Sprintf(format, args...))
	w.steps = w.steps[max(0, len(w.steps)-50):]
}

// chance is true once in n times.
func (w *walk) chance(n int) bool { return w.random.IntN(n) == 0 }

// pick is any of the keys, mostly one that is not deleted; nil if there is none.
func (w *walk) pick() *modelKey {
	from := w.keys
	if live := w.live(); len(live) > 0 && !w.chance(20) {
		from = live
	}
	if len(from) == 0 {
		return nil
	}
	return from[w.random.IntN(len(from))]
}

func (w *walk) live() []*modelKey {
	return slices.DeleteFunc(slices.Clone(w.keys), func(k *modelKey) bool { return k.deleted })
}

// refer names a key by its id, its ARN, or an alias, which may name none.
func (w *walk) refer() (ref string, to *modelKey) {
	name, k := w.aliasName(), w.pick()
	if k == nil || w.chance(3) {
		k = w.model.named[name]
		if w.chance(2) {
			name = w.scope.arn(name)
		}
		return name, k
	}
	if w.chance(2) {
		return k.arn, k
	}
	return k.id, k
}

// referByID names a key as operations that change it want it named: an alias
// names none.
func (w *walk) referByID() (ref string, to *modelKey) {
	if w.chance(30) {
		return w.aliasName(), nil
	}
	k := w.pick()
	if k == nil {
		return "12345678-1234-1234-1234-123456789012", nil
	}
	if w.chance(2) {
		return k.arn, k
	}
	return k.id, k
}

func (w *walk) aliasName() string { return fmt.Sprintf("alias/%d", w.random.IntN(modelAliases)) }

// compare expects the service to hold what the model holds.
func (w *walk) compare() {
	w.t.Helper()
	type held struct {
		State       kmsv1.KeyState
		Description string
		Due         time.Time
		Tags        map[string]string
		Grants      []string
		Rotations   int
	}
	want, got := map[string]held{}, map[string]held{}
	for _, k := range w.live() {
		want[k.id] = held{k.state, k.description, k.due, k.tags, k.grantIDs(), k.rotations}
	}
	for _, id := range w.listKeys() {
		k := w.describe(id)
		h := held{State: k.GetKeyState(), Description: k.GetDescription(), Grants: w.listGrants(id), Rotations: len(w.rotationsOf(&id, onlyRotations, 10))}
		_, h.Tags = w.tags(&id, 50, nil)
		if k.DeletionDate != nil {
			h.Due = k.DeletionDate.AsTime()
		}
		got[id] = h
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("the keys (-model +service):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(w.model.named)), w.aliases(nil, 4), cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("the aliases (-model +service):\n%s", diff)
	}
	for name, k := range w.model.named {
		if got := w.describe(name).GetKeyId(); got != k.id {
			w.t.Errorf("%s names %s, want %s", name, got, k.id)
		}
	}
}

// listKeys lists the ids of all keys, a few at a time.
func (w *walk) listKeys() (ids []string) {
	w.t.Helper()
	req := &kmsv1.ListKeysRequest{Limit: new(int32(3))}
	for {
		res, err := w.ListKeys(w.as(app), req)
		w.must(err)
		for _, k := range res.Keys {
			ids = append(ids, k.GetKeyId())
		}
		if !res.GetTruncated() {
			return ids
		}
		req.Marker = res.NextMarker
	}
}
