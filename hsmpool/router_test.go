package hsmpool

import (
	stdcmp "cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// served lets a queue's requests through and returns their keys' first bytes.
func served(q *queue) (order []byte) {
	for w := q.front(); w != nil; w = q.front() {
		if !q.remove(w) {
			panic("the front is not in the queue")
		}
		order = append(order, w.order.object[0])
	}
	return order
}

// TestKeysTakeTurns has a key that everybody asks for.
func TestKeysTakeTurns(t *testing.T) {
	for name, test := range map[string]struct{ asked, want string }{
		"nobody":                        {"", ""},
		"one key":                       {"aaa", "aaa"},
		"a hot key and another":         {"aaaaab", "abaaaa"},
		"two hot keys":                  {"aaabbb", "ababab"},
		"three keys in turns":           {"aaabbc", "abcaba"},
		"a key that comes after others": {"abac", "abca"},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue()
			for _, key := range []byte(test.asked) {
				q.push(&waiter{order: &order{object: ObjectID{key}}})
			}
			if got := string(served(q)); got != test.want {
				t.Errorf("served %q, want %q", got, test.want)
			}
			if q.size != 0 || len(q.lanes) != 0 || q.turns.Len() != 0 {
				t.Errorf("left: %+v", q)
			}
		})
	}
}

// TestWhoGivesUpLosesHisTurnOnly takes each request of a queue out in turn.
func TestWhoGivesUpLosesHisTurnOnly(t *testing.T) {
	const asked = "aabbc"
	for gone := range len(asked) {
		q := newQueue()
		var all []*waiter
		for _, key := range []byte(asked) {
			all = append(all, &waiter{order: &order{object: ObjectID{key}}})
			q.push(all[len(all)-1])
		}
		if !q.remove(all[gone]) || q.remove(all[gone]) {
			t.Errorf("request %d was not in the queue, or is twice", gone)
		}
		want := []byte(asked[:gone] + asked[gone+1:])
		got := served(q)
		slices.Sort(got)
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("without request %d (-want +got):\n%s", gone, diff)
		}
	}
}

func TestABusyHSMIsAskedLess(t *testing.T) {
	g, now := newGate(8), time.Now()
	refuse := func() {
		g.inside++
		now = now.Add(shrinkEvery)
		g.leave(now, busy)
	}
	refuse()
	if g.places != 4 {
		t.Errorf("%v places after a refusal, want 4", g.places)
	}
	g.inside++
	g.leave(now, busy)
	if g.places != 4 {
		t.Errorf("%v places after two refusals of one moment, want 4", g.places)
	}
	for range 10 {
		refuse()
	}
	if g.places != 1 || !g.free() {
		t.Errorf("%v places after many refusals, want 1", g.places)
	}
	for range 100 {
		g.inside++
		g.leave(now, good)
	}
	if g.places != 8 || g.inside != 0 {
		t.Errorf("%v places after many answers, want 8; %d inside", g.places, g.inside)
	}
}

func TestBreaker(t *testing.T) {
	b, now := newBreaker(), time.Now()
	fail := func() {
		b.enter()
		b.judge(now, bad)
	}
	for range breakAfter - 1 {
		fail()
	}
	b.judge(now, good)
	for range breakAfter - 1 {
		fail()
	}
	if b.open() {
		t.Fatal("it opens although an answer came between the failures")
	}
	fail()
	if !b.open() || b.ready(now) {
		t.Fatal("it is not open after many failures in a row")
	}
	now = now.Add(maxSuspension * 2)
	if !b.ready(now) {
		t.Fatal("nothing is let through as a probe")
	}
	b.enter()
	if b.ready(now) {
		t.Error("two probes are let through")
	}
	b.judge(now, bad)
	if !b.open() || b.ready(now) {
		t.Error("a probe that failed closes it")
	}
	now = now.Add(maxSuspension * 2)
	b.enter()
	b.judge(now, undecided)
	if !b.ready(now) {
		t.Error("a probe that told nothing is the last")
	}
	b.enter()
	b.judge(now, good)
	if b.open() || !b.ready(now) {
		t.Error("a probe that succeeded does not close it")
	}
}

// TestSuspensionsGrowAndAreShort keeps failing.
func TestSuspensionsGrowAndAreShort(t *testing.T) {
	b, now, last := newBreaker(), time.Now(), time.Duration(0)
	for range breakAfter + 20 {
		b.enter()
		b.judge(now, bad)
		if !b.until.IsZero() {
			last = b.until.Sub(now)
			now = b.until
		}
	}
	if last < maxSuspension*8/10 || last > maxSuspension*12/10 {
		t.Errorf("the last suspension is %v", last)
	}
}

// bench is a router of members that serve without workers.
func bench(t *testing.T, members, places, bound int) *router {
	t.Helper()
	p := &Pool{cfg: Config{}}
	for range members {
		m := newMember(Config{Logger: orNullLogger(nil)}, p)
		m.current.Store(&process{})
		m.state = Ready
		p.members = append(p.members, m)
	}
	return newRouter(p.members, places, bound)
}

func TestLeastBusyMemberIsAsked(t *testing.T) {
	r := bench(t, 3, 10, 100)
	given := make([]int, 3)
	take := func(o *order) grant {
		g, err := r.place(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		given[g.member]++
		return g
	}
	for range 9 {
		take(&order{})
	}
	if diff := cmp.Diff([]int{3, 3, 3}, given); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	r.ended(1, good)
	if g := take(&order{}); g.member != 1 {
		t.Errorf("member %d was asked, want 1, which has less to do", g.member)
	}
	r.ended(0, good)
	if g := take(&order{tried: r.members[:1]}); g.member == 0 {
		t.Error("the member that was tried already was asked")
	}
	r.members[0].stuck.Store(true)
	if g := take(&order{}); g.member == 0 {
		t.Error("the member that seems to hang was asked")
	}
}

// TestARequestWaitsForAnotherMember rather than go back to the one that failed at it, as
// long as there is another.
func TestARequestWaitsForAnotherMember(t *testing.T) {
	for name, test := range map[string]struct {
		order func(*router) *order
		stuck bool
	}{
		"one that failed":           {func(r *router) *order { return &order{tried: r.members[:1]} }, false},
		"one without the key":       {func(r *router) *order { return &order{tried: r.members, missed: r.members[:1]} }, false},
		"one that seems to hang":    {func(*router) *order { return &order{} }, true},
		"one that hung at it":       {func(r *router) *order { return &order{tried: r.members[:1]} }, true},
		"one that failed, and lost": {func(r *router) *order { return &order{tried: r.members[:1]} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := bench(t, 2, 1, 8)
			r.gates[1].inside = 1
			r.members[0].stuck.Store(test.stuck)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			placed := make(chan grant, 1)
			go func() {
				g, _ := r.place(ctx, test.order(r))
				placed <- g
			}()
			for r.waiting() == 0 {
				time.Sleep(time.Millisecond)
			}
			want := 1
			if name == "one that failed, and lost" {
				want = 0
				r.members[1].current.Store(nil)
				r.changed()
			} else {
				r.ended(1, good)
			}
			if g := <-placed; g.member != want {
				t.Errorf("it was placed at member %d, want %d", g.member, want)
			}
		})
	}
}

func TestPlacesAndBounds(t *testing.T) {
	r := bench(t, 2, 1, 4)
	enter := func(key byte) error { return r.enter(&order{object: ObjectID{key}}) }
	for i := range 4 {
		if err := enter(byte(i)); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if err := enter(9); !errors.Is(err, errBusy) {
		t.Errorf("a request over the bound: %v", err)
	}
	r.leave()
	if err := enter(9); err != nil {
		t.Errorf("a request when another has left: %v", err)
	}
}

// TestAHotKeyLeavesRoom fills the queue with requests about one key.
func TestAHotKeyLeavesRoom(t *testing.T) {
	r := bench(t, 1, 1, 8)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hot := &order{object: ObjectID{1}}
	placed := make(chan error, 8)
	for {
		if err := r.enter(hot); err != nil {
			break
		}
		inside := r.entered()
		go func() {
			_, err := r.place(ctx, hot)
			placed <- err
		}()
		for inside > 1 && r.waiting() < inside-1 { // the first has the place
			time.Sleep(time.Millisecond)
		}
	}
	if err := r.enter(&order{object: ObjectID{2}}); err != nil {
		t.Errorf("another key's request is refused with %d inside: %v", r.entered(), err)
	}
}

// TestWhoGivesUpFreesHisPlace has a request give up in the moment in which it gets one.
func TestWhoGivesUpFreesHisPlace(t *testing.T) {
	r := bench(t, 1, 1, 8)
	for range 1000 {
		g, err := r.place(t.Context(), &order{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		second := make(chan error, 1)
		go func() {
			g, err := r.place(ctx, &order{})
			if err == nil {
				r.ended(g.member, good)
			}
			second <- err
		}()
		go cancel()
		r.ended(g.member, good)
		if err := <-second; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if r.gates[0].inside != 0 || r.queue.size != 0 {
		t.Errorf("%d places are taken and %d requests wait", r.gates[0].inside, r.queue.size)
	}
}

// TestNobodyWaitsInVain has members that take no requests, each for its reason.
func TestNobodyWaitsInVain(t *testing.T) {
	stopped := func(m *member) { m.current.Store(nil); m.state, m.reason = Stopped, errors.New("wrong PIN") }
	failing := func(m *member) {
		m.current.Store(nil)
		m.state, m.reason, m.failures = Starting, errors.New("no token"), failFast
	}
	suspended := func(m *member) { m.breaker.until, m.breaker.probing = time.Now(), true }
	coming := func(m *member) { m.current.Store(nil); m.state = Starting }
	for _, test := range []struct {
		members []func(*member)
		says    string // empty: it is worth waiting
	}{
		{[]func(*member){stopped}, "wrong PIN"},
		{[]func(*member){failing}, "no token"},
		{[]func(*member){suspended}, "suspended"},
		{[]func(*member){stopped, failing}, "none of 2 HSMs takes requests: wrong PIN; no token"},
		{[]func(*member){coming}, ""},
		{[]func(*member){stopped, coming}, ""},
	} {
		r := bench(t, len(test.members), 1, 8)
		for i, set := range test.members {
			set(r.members[i])
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := r.place(ctx, &order{})
		cancel()
		if want := stdcmp.Or(test.says, context.DeadlineExceeded.Error()); !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
		for _, m := range r.members {
			if asked := len(m.wanted) == 1; asked != (test.says != "") {
				t.Errorf("%q: that somebody asks is told: %t", test.says, asked)
			}
		}
	}
}
