// Package retention keeps the journal as small as a policy wants it: it has the trail
// remove whole oldest segments, by age and by size, and never anything that a required
// sink has not taken or that no signed digest covers.
package retention

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Policy says what may go. Zero values keep everything.
type Policy struct {
	// Age is how old a record must be at least. A segment goes when all of its
	// records are.
	Age time.Duration
	// Size is how large the journal may be, in bytes; what is beyond goes, the oldest
	// first. Since whole segments go, and the newest ones stay, it may be larger.
	Size int64
}

// Limit says what must stay, whatever the policy is.
type Limit interface {
	// Taken returns the number of a record up to which every required sink has taken
	// all records for good and a signed digest covers them; 0 if there is none. The segment with
	// that record stays, so that what is left of the journal begins before, or at, a
	// record that a digest has signed. An error says why it is not known. It is called by
	// one goroutine at a time and does not wait for long.
	Taken() (seq uint64, err error)
}

// Trail is what is trimmed: an *audit.Trail.
type Trail interface {
	// Segments returns the journal's segments, oldest first.
	Segments() []journal.Segment
	// Trim removes the oldest segments all of whose records are numbered below before.
	Trim(ctx context.Context, before uint64) (journal.Trimmed, error)
}

// Options say what a Runner does. Trail and Limit are required.
type Options struct {
	Trail  Trail
	Limit  Limit
	Policy Policy
	// Logger receives what was removed, and why something was not. It may be nil.
	Logger hclog.Logger
	// Every is the time between two looks; 0 means a minute.
	Every time.Duration

	now func() time.Time
}

// Runner applies a policy. Its methods may be called from many goroutines.
type Runner struct {
	opts Options

	mu     sync.Mutex
	status Status
}

// Status is what a Runner has done since it was made.
type Status struct {
	// Segments and Bytes count what was removed.
	Segments int
	Bytes    int64
	// Blocked is why something stays that the policy would have removed; empty if
	// nothing does.
	Blocked string
}

// New returns a Runner, to be run by Run.
func New(o Options) (*Runner, error) {
	if o.Trail == nil || o.Limit == nil {
		return nil, errors.New("retention needs a trail and its limit")
	}
	if o.Policy.Age < 0 || o.Policy.Size < 0 || o.Every < 0 {
		return nil, fmt.Errorf("retention by an age of %v and a size of %d bytes, looked at every %v: none may be negative", o.Policy.Age, o.Policy.Size, o.Every)
	}
	if o.Every == 0 {
		o.Every = time.Minute
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.now == nil {
		o.now = time.Now
	}
	return &Runner{opts: o}, nil
}

// Run applies the policy until ctx ends. It is called once.
func (r *Runner) Run(ctx context.Context) {
	ticks := time.NewTicker(r.opts.Every)
	defer ticks.Stop()
	for ctx.Err() == nil {
		r.apply(ctx)
		select {
		case <-ctx.Done():
		case <-ticks.C:
		}
	}
}

// Status returns what was done so far.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// apply removes once what may be removed.
func (r *Runner) apply(ctx context.Context) {
	want := r.opts.Policy.before(r.opts.Trail.Segments(), r.opts.now())
	if want == 0 {
		r.blocked(nil)
		return
	}
	taken, err := r.opts.Limit.Taken()
	if err != nil {
		r.blocked(fmt.Errorf("it is not known what was taken: %w", err))
		return
	}
	trimmed, err := r.opts.Trail.Trim(ctx, min(want, taken))
	r.removed(trimmed)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.blocked(err)
	case trimmed.First < want:
		r.blocked(errNotTaken)
	default:
		r.blocked(nil)
	}
}

// errNotTaken is why records stay that are old enough.
var errNotTaken = errors.New("records that are to go were not taken by every required sink, or no signed digest covers them yet")

// before returns the number of the first record that a policy keeps; 0 if it keeps all.
// The newest segment always stays.
func (p Policy) before(segments []journal.Segment, now time.Time) uint64 {
	var size int64
	for _, s := range segments {
		size += s.Bytes
	}
	var keep uint64
	for i := 0; i+1 < len(segments); i++ {
		next := segments[i+1]
		old := p.Age > 0 && now.Sub(next.Begun) >= p.Age
		large := p.Size > 0 && size > p.Size
		if !old && !large {
			break
		}
		keep = next.First
		size -= segments[i].Bytes
	}
	return keep
}

func (r *Runner) removed(t journal.Trimmed) {
	if t.Segments == 0 {
		return
	}
	r.opts.Logger.Info("audit journal trimmed", "segments", t.Segments, "bytes", t.Bytes, "oldest_record", t.First)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Segments += t.Segments
	r.status.Bytes += t.Bytes
}

// blocked notes why something stays, and logs it when it is not what was logged last.
func (r *Runner) blocked(err error) {
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	r.mu.Lock()
	before := r.status.Blocked
	r.status.Blocked = reason
	r.mu.Unlock()
	switch reason {
	case before:
	case "":
		r.opts.Logger.Info("the audit journal is as small as it is to be")
	default:
		r.opts.Logger.Warn("the audit journal is not trimmed as far as it is to be", "reason", reason)
	}
}
