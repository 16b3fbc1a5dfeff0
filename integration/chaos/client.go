package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// client makes requests one after the other, of its own keys and aliases, as its
// numbers from the seed say. So it knows how each of them has to end.
type client struct {
	number  int
	rng     *rand.Rand
	history *history
	link    *link
	// gate is held for reading during each step.
	gate *gate
	done *progress
	// shared are keys that all clients use, and that nobody changes.
	shared []*key
	// store is the id of the custom key store.
	store string
	// hidden begins every plaintext and message, so that the search for secrets knows
	// them.
	hidden []byte

	step    int
	keys    []*key
	aliases []*alias
	sealed  []*sealed
	macs    []*authenticated
}

// link is the way to the server of the moment.
type link struct {
	mu     sync.RWMutex // held for writing while there is no server
	client *harness.Client
}

func (l *link) get() *harness.Client {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.client
}

// gate is held by clients for reading during a step, and for writing while they have
// to wait.
type gate struct {
	sync.RWMutex
	phase phase
}

// phase is what is going on.
type phase int

// The phases.
const (
	// disturbed is while faults come and go.
	disturbed phase = iota
	// recovering is when they are over: requests may still fail, but clients set no
	// deadlines of their own, so that it is the server's fault.
	recovering
	// calm is when every request must end as it should.
	calm
)

// Times of requests.
const (
	// serverDeadline is what a request has whose client sets none
	// (limits.default_deadline).
	serverDeadline = 30 * time.Second
	// slack is how much later than its deadline an answer may come: the machine has
	// other things to do.
	slack = 3 * time.Second
	// patience is how long a client waits for the server to keep to serverDeadline.
	patience = serverDeadline + 2*slack
)

// run makes steps until ctx ends.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.gate.RLock()
		if ctx.Err() == nil {
			c.step++
			c.choose()(c, ctx)
		}
		c.gate.RUnlock()
		c.done.step()
	}
}

// asking is what is known of a request before it is made.
type asking struct {
	operation string
	// of is the key that it is about; nil: none of the client's.
	of *key
	// name is how the request names it; empty: by its ARN.
	name string
	mark string
	// wanted are the outcomes of which it must have one.
	wanted []string
	// kind is that of the key, where of is nil.
	kind kind
}

// call makes a request.
type call func(context.Context, kmsv1.KeyManagementServiceClient, grpc.CallOption) error

// ask makes a request, and notes how it ended.
func (c *client) ask(ctx context.Context, a asking, call call) *request {
	r := &request{Client: c.number, Step: c.step, Operation: a.operation, Key: a.name, Mark: a.mark, Calm: c.gate.phase == calm}
	k := a.kind
	if a.of != nil {
		k = a.of.kind
	}
	if a.of != nil && r.Key == "" {
		r.Key = a.of.arn
	}
	c.make(ctx, r, call)
	r.Excused = r.Lost != "" || !slices.Contains(a.wanted, r.Outcome)
	c.history.add(r)
	if !r.asExpected(a.wanted, k) {
		c.history.object("outcomes", r, "ended with %q (%s%s), want one of %q", r.Outcome, r.Lost, r.Message, a.wanted)
	}
	if r.late() {
		c.history.object("deadlines", r, "took %v of a deadline of %v", r.Took, r.Deadline)
	}
	return r
}

// late says that the request took longer than it may.
func (r *request) late() bool { return r.Took > r.Deadline+slack }

// make makes the request, with a deadline of the client's or without one.
func (c *client) make(ctx context.Context, r *request, call call) {
	own := c.deadline()
	if c.gate.phase != disturbed {
		own = 0
	}
	kms := c.link.get().KMS // waits while there is no server
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if r.Deadline = serverDeadline; own > 0 {
		r.Deadline = own
		ctx, cancel = context.WithTimeout(ctx, own)
		defer cancel()
	}
	defer time.AfterFunc(patience, cancel).Stop()
	var header harness.Header
	start := time.Now()
	err := call(ctx, kms, header.Option())
	r.Ended = time.Now()
	r.Took = r.Ended.Sub(start)
	r.answered(&header, err)
}

// deadline draws a deadline that the client sets; 0: none.
func (c *client) deadline() time.Duration {
	own := 20*time.Millisecond + time.Duration(c.rng.Int64N(int64(3*time.Second)))
	if c.rng.IntN(10) > 0 {
		return 0
	}
	return own
}

// mark is a text that no other request of the run has.
func (c *client) mark() string { return fmt.Sprintf("client-%d-step-%d", c.number, c.step) }

// text is a new plaintext or message.
func (c *client) text() []byte {
	text := append([]byte(nil), c.hidden...)
	for range 4 + c.rng.IntN(40) {
		text = append(text, byte(c.rng.Uint32()))
	}
	return text
}

// pick returns one of those that are wanted, or nil.
func pick[T any](rng *rand.Rand, all []*T, wanted func(*T) bool) *T {
	start := rng.IntN(1 << 20)
	for i := range all {
		if one := all[(start+i)%len(all)]; wanted(one) {
			return one
		}
	}
	return nil
}
