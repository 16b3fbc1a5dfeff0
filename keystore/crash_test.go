package keystore

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// TestACrashAtAnyStepLeavesTheOldStateOrTheNew kills the process before each
// step of each operation, and the one that settles what is left before each of
// its own steps; without STRONGROOM_CRASHES=all it is a sample of these.
func TestACrashAtAnyStepLeavesTheOldStateOrTheNew(t *testing.T) {
	t.Parallel()
	start := newStartingPoint(t)
	all := operations()
	start.expectAll(t, all)
	if testing.Short() {
		all = all[:1]
	}
	for i, op := range all {
		t.Run(op.name+op.when, func(t *testing.T) {
			t.Parallel()
			steps := orders{Dir: copyService(t, start.dir), Operation: i, RequestID: uuid.NewString()}.run(t).steps
			for step := 1 + i%everyStep(); step <= steps; step += everyStep() {
				t.Run(fmt.Sprintf("step %d of %d", step, steps), func(t *testing.T) {
					t.Parallel()
					first := orders{Dir: copyService(t, start.dir), Operation: i, RequestID: uuid.NewString(), Step: step}
					crash{start: start, op: op, first: first, answered: first.run(t).answered}.expectSettled(t)
				})
			}
		})
	}
}

// everyStep is how many steps lie between those before which a process is killed:
// every fifth one, beginning at the first, the second and so on in turns, or
// all.
func everyStep() int {
	if os.Getenv("STRONGROOM_CRASHES") == "all" {
		return 1
	}
	return 5
}

// startingPoint is a directory of a service with keys in every state.
type startingPoint struct {
	dir    string
	names  map[uuid.UUID]string
	sealed map[string][]byte // by the key of the name
	world  world
	events int
	api    *describe.API
}

func newStartingPoint(t *testing.T) *startingPoint {
	t.Helper()
	s := newService(t)
	s.with = awayClusters()
	s.initToken()
	s.start()
	p := &startingPoint{dir: s.dir, names: map[uuid.UUID]string{}, sealed: map[string][]byte{}}
	for _, name := range []string{"bystander", "target", "disabled", "doomed", "due"} {
		key, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{Description: &name})
		s.must(err)
		id := key.KeyMetadata.KeyId
		p.names[uuid.MustParse(*id)] = name
		p.sealed[name], err = s.encrypt(*id)
		s.must(err)
		s.must(s.createAlias("alias/"+name, id))
	}
	for _, name := range []string{"target", "due"} {
		_, err := s.CreateGrant(s.as(admin), &kmsv1.CreateGrantRequest{KeyId: s.named(name), GranteePrincipal: new(nobody), Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_DECRYPT}})
		s.must(err)
	}
	s.must(s.renewNow(s.as(admin), s.named("due")))
	s.must(s.createAlias("alias/due/2", s.named("due")))
	s.must(s.tag(s.named("bystander"), tagsOf("two", "2")...))
	_, err := s.EnableKeyRotation(s.as(admin), &kmsv1.EnableKeyRotationRequest{KeyId: s.named("bystander")})
	s.must(err)
	_, err = s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: s.named("disabled")})
	s.must(err)
	for name, days := range map[string]int32{"doomed": 30, "due": 7} {
		_, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: s.named(name), PendingWindowInDays: &days})
		s.must(err)
	}
	p.addImported(s)
	s.addDirectory()
	s.addAccessKey(app)
	s.addStores()
	p.world, p.events, p.api = s.world(p.names), len(s.events()), s.Describe()
	s.stop()
	return p
}

// expectAll expects every operation that changes keys, or what there is about them, to be
// among some.
func (p *startingPoint) expectAll(t *testing.T, some []operation) {
	t.Helper()
	for _, s := range p.api.Services() {
		for _, m := range s.Methods {
			if !m.ReadOnly && !slices.Contains(changingNoKeys(), m.Name) && !slices.ContainsFunc(some, func(op operation) bool { return op.name == m.Name }) {
				t.Errorf("%s is not tried", m.Name)
			}
		}
	}
}

// changingNoKeys are operations that are refused whatever they are asked for, and one
// that changes what is known of the PINs of HSMs.
func changingNoKeys() []string {
	return []string{"ReplicateKey", "UpdatePrimaryRegion", "CheckHsmUnlock", "CreateConsoleLink"}
}

// copyService copies the directory of a service that does not run.
func copyService(t *testing.T, dir string) string {
	t.Helper()
	s := &service{t: t, dir: t.TempDir()}
	s.must(os.CopyFS(s.dir, os.DirFS(dir)))
	config, err := os.ReadFile(s.path("softhsm2.conf"))
	s.must(err)
	s.write("softhsm2.conf", strings.ReplaceAll(string(config), dir, s.dir))
	return s.dir
}

// crash is what the crash of an operation has left.
type crash struct {
	start    *startingPoint
	op       operation
	first    orders
	answered bool // the caller has the answer
}

// expectSettled expects that the next start settles it, and also the one after
// a crash of the next.
func (c crash) expectSettled(t *testing.T) {
	t.Helper()
	if again := c.settling(t); again.Step > 0 {
		steps := secondSteps(c.first.Step, again.Step)
		t.Logf("the settling is killed before %v of its %d steps", steps, again.Step)
		for _, step := range steps {
			again.Dir, again.Step = copyService(t, c.first.Dir), step
			again.run(t)
			c.expectSettledIn(t, again.Dir)
		}
	}
	c.expectSettledIn(t, c.first.Dir)
}

// settling are the orders for the next start, with its last step; 0 if it has
// nothing to settle.
func (c crash) settling(t *testing.T) orders {
	t.Helper()
	again := orders{Operation: c.first.Operation, Restart: true}
	if len(openIntents(t, c.first.Dir)) == 0 {
		return again
	}
	again.Dir = copyService(t, c.first.Dir)
	again.Step = again.run(t).steps
	return again
}

// secondSteps are the steps of the settling that are tried: one after each
// crash, another one each time, or all of them.
func secondSteps(first, steps int) []int {
	if os.Getenv("STRONGROOM_CRASHES") != "all" {
		return []int{1 + first%steps}
	}
	all := make([]int, steps)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// expectSettledIn opens a directory and expects that everything there agrees:
// keys, aliases, key material and events.
func (c crash) expectSettledIn(t *testing.T, dir string) {
	t.Helper()
	s := &service{t: t, dir: dir, now: c.op.now, with: awayClusters()}
	s.start()
	c.op.await(s)
	found, events := s.world(c.start.names), s.events()[c.start.events:]
	s.expectOneTruth()
	s.expectWorking(c.start.names, c.start.sealed)
	s.stop()
	c.expectTold(t, found, events)
	if open := openIntents(t, dir); len(open) > 0 {
		t.Errorf("not settled: %+v", open)
	}
}

// expectTold expects a state that is the old or the new one, and events that
// say which.
func (c crash) expectTold(t *testing.T, found world, events []event) {
	t.Helper()
	old := c.start.world.clone()
	if c.op.from != nil {
		c.op.from(old)
	}
	want := old.clone()
	c.op.apply(want)
	done := cmp.Equal(found, want)
	if !done {
		want = old
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Fatalf("neither the old state nor the new (-old +found):\n%s", diff)
	}
	if c.answered && !done {
		t.Error("what was answered is lost")
	}
	requests := map[string]int{}
	var told []event
	for _, e := range events {
		if requests[e.RequestID]++; requests[e.RequestID] > 1 {
			t.Errorf("one more event of the request %s: %+v", e.RequestID, e)
		}
		if e.EventName == c.op.name {
			told = append(told, e)
		}
	}
	if c.op.do == nil {
		expectToldDeletion(t, done, told)
		return
	}
	c.expectToldOnce(t, done, told)
}

// expectToldOnce expects one event of the operation, or none if not even its
// intent was recorded.
func (c crash) expectToldOnce(t *testing.T, done bool, told []event) {
	t.Helper()
	if c.first.Step == 1 {
		if done || len(told) > 0 {
			t.Errorf("before its intent the operation has left %+v; it has taken effect: %t", told, done)
		}
		return
	}
	if len(told) != 1 {
		t.Fatalf("the events of the operation are %+v", told)
	}
	e := told[0]
	if e.EventType != audit.EventTypeService && e.RequestID != c.first.RequestID {
		t.Errorf("the event is of another request: %+v", e)
	}
	message := c.op.undone
	if done {
		message = tookEffect
	}
	if inTime := done && e.ErrorMessage == ""; !inTime && e.ErrorMessage != message {
		t.Errorf("the event says %q, want %q", e.ErrorMessage, message)
	}
	if c.answered && e.ErrorMessage != "" {
		t.Errorf("the event of what was answered says %q", e.ErrorMessage)
	}
}

// expectToldDeletion expects that a deletion has gone on until it was done.
func expectToldDeletion(t *testing.T, done bool, told []event) {
	t.Helper()
	if !done {
		t.Error("the key that is due is still there")
	}
	for i, e := range told {
		want := goesOn
		if i == len(told)-1 {
			want = completed
		}
		if e.ErrorMessage != want {
			t.Errorf("event %d of %d says %q, want %q", i+1, len(told), e.ErrorMessage, want)
		}
	}
	if len(told) == 0 {
		t.Error("the deletion has no event")
	}
}

// openIntents are the changes without an event in the journal of a service that
// does not run. It opens a copy: while this process starts others, they may
// have the lock of a journal that it has closed.
func openIntents(t *testing.T, dir string) []audit.Intent {
	t.Helper()
	s := &service{t: t, dir: copyService(t, dir)}
	trail, _, err := audit.Open(audit.Options{Dir: s.path("journal")})
	s.must(err)
	open := trail.UnsettledIntents()
	s.must(trail.Close(t.Context()))
	return open
}
