package ship

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Bounds of a batch: what a collector takes in one message with room to spare (4 MiB is
// usual), and what a Runner has in memory.
const (
	maxBatchRecords = 1000
	maxBatchBytes   = 1 << 20
)

const (
	// linger is how long after a batch the next one is begun, so that records are sent
	// many at a time and yet soon.
	linger = 200 * time.Millisecond
	// saveInterval is how often the cursor is written while there is more to send.
	saveInterval = time.Second
	// attemptTimeout bounds one attempt.
	attemptTimeout = 30 * time.Second
)

// Trail is the trails' journal; *audit.Trail implements it.
type Trail interface {
	// Records yields all records after a number, of other kinds than the trails' too. An
	// error is yielded last: journal.ErrTrimmed if records were removed that it should
	// have begun with.
	Records(ctx context.Context, after uint64, follow bool) iter.Seq2[audit.Record, error]
	// Head is the newest durable record.
	Head() journal.Head
	// First is the number of the oldest record that is left.
	First() uint64
}

// Sender sends records to a sink.
type Sender interface {
	// Send sends records in their order, all of the trails', and returns nil when the
	// sink has them. The error is a *Refusal, ErrTooLarge, a *Later, or any other, after
	// which the same records are sent again. It is called by one goroutine.
	Send(ctx context.Context, records []audit.Record) error
	// Close lets go of connections, after the last Send.
	Close() error
}

// Options say what a Runner sends, and where to. All but Required and Logger are
// mandatory.
type Options struct {
	// Name is the sink's, for logs and metrics.
	Name string
	// Required makes a record that the sink refuses block it; else it is skipped.
	Required bool
	// Trail is where records come from, Journal its id.
	Trail   Trail
	Journal journal.ID
	// Cursor is the cursor's file. Its directory is made if missing.
	Cursor string
	// Sender is owned by the Runner, which closes it.
	Sender Sender
	// Logger receives failures and recoveries. It may be nil.
	Logger hclog.Logger

	firstPause time.Duration // between attempts; 0 is the package's
}

// Runner sends the records of a journal to a sink. Its methods may be called from many
// goroutines.
type Runner struct {
	o        Options
	progress Progress
	cursor   Cursor    // as it is to be saved next
	fresh    bool      // there was no cursor
	sent     time.Time // when the last batch was
	savedAt  time.Time // when the cursor was
	cancel   context.CancelFunc
	done     chan struct{}
	ended    error // of Sender.Close; for who has waited for done
}

var _ Sink = (*Runner)(nil)

// Open begins to send after the record at the cursor, or from the beginning if there is no
// cursor of this journal. That the sink cannot be reached is no error.
func Open(o Options) (*Runner, error) {
	if o.Name == "" || o.Cursor == "" || o.Trail == nil || o.Sender == nil {
		return nil, errors.New("a sink needs a name, a cursor, a trail and a sender")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.firstPause == 0 {
		o.firstPause = firstPause
	}
	o.Logger = o.Logger.With("sink", o.Name)
	if err := os.MkdirAll(filepath.Dir(o.Cursor), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the cursor of sink %s: %w", o.Name, err)
	}
	r := &Runner{o: o, done: make(chan struct{})}
	r.cursor, r.fresh = openCursor(o)
	r.progress.Saved(r.cursor.Sequence)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go r.run(ctx)
	return r, nil
}

// openCursor reads the cursor. One that cannot be used means that everything is sent
// again, which loses nothing, and keeps no server from starting.
func openCursor(o Options) (c Cursor, fresh bool) {
	c, err := ReadCursor(o.Cursor)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.Logger.Info("the sink is new: it is sent everything that the journal holds")
	case err != nil:
		o.Logger.Warn("the sink's cursor cannot be used: it is sent everything that the journal holds again", "error", err)
	case c.Journal != o.Journal.String():
		o.Logger.Warn("the sink's cursor is of another journal: it is sent everything that this one holds",
			"cursor", o.Cursor, "of", c.Journal, "journal", o.Journal.String())
	case c.Sequence > o.Trail.Head().Seq:
		o.Logger.Warn("the sink's cursor is beyond the journal's end, as after a return to an older copy of it: it is sent everything that the journal holds again",
			"cursor_sequence", c.Sequence, "head_sequence", o.Trail.Head().Seq)
	default:
		return c, false
	}
	return NewCursor(o.Journal), true
}

// Close stops sending at once, without waiting for the sink: what is left goes out after
// the next start.
func (r *Runner) Close(ctx context.Context) error {
	r.cancel()
	select {
	case <-r.done:
		return r.ended
	case <-ctx.Done():
		return fmt.Errorf("stopping sink %s: %w", r.o.Name, ctx.Err())
	}
}

// run sends until ctx ends or the trail is closed.
func (r *Runner) run(ctx context.Context) {
	defer close(r.done)
	pauses := newPauses(r.o.firstPause, longestPause)
	for {
		err := r.follow(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, journal.ErrClosed):
			r.save()
			if r.ended = r.o.Sender.Close(); r.ended != nil {
				r.ended = fmt.Errorf("closing sink %s: %w", r.o.Name, r.ended)
			}
			return
		case errors.Is(err, journal.ErrTrimmed):
			r.skipTo(r.o.Trail.First())
		default:
			r.progress.Failed(err)
			r.o.Logger.Error("reading the trails for a sink", "error", err)
			_ = sleep(ctx, pauses.Next(err)) // the next look at ctx tells
		}
	}
}

// follow reads records and sends them, until reading fails or ctx ends.
func (r *Runner) follow(ctx context.Context) error {
	var b batch
	for record, err := range r.o.Trail.Records(ctx, r.cursor.Sequence, true) {
		if err == nil && b.seen == 0 {
			err = r.begin(ctx, record)
		}
		if err != nil {
			return err
		}
		b.add(record)
		caughtUp := record.Seq >= r.o.Trail.Head().Seq
		if !caughtUp && !b.full() {
			continue
		}
		if err := r.deliver(ctx, b.records); err != nil {
			return err
		}
		r.advance(record.Seq, caughtUp)
		b = batch{}
	}
	return ctx.Err()
}

// begin looks at the first record of a batch, and waits for others to come.
func (r *Runner) begin(ctx context.Context, first audit.Record) error {
	if first.Seq > r.cursor.Sequence+1 {
		r.skipTo(first.Seq)
	}
	r.progress.WaitsSince(first.Time)
	return sleep(ctx, time.Until(r.sent.Add(linger)))
}

// skipTo goes on at the oldest record that is left.
func (r *Runner) skipTo(first uint64) {
	from, to := r.cursor.Sequence+1, first-1
	if to < from {
		return
	}
	if r.fresh && r.cursor.Sequence == 0 {
		r.o.Logger.Info("records were removed from the journal before the sink was set up", "first_left", first)
	} else {
		r.progress.missed(to - from + 1)
		r.o.Logger.Error("RECORDS ARE MISSING at a sink: retention had removed them from the journal before the sink had them",
			"first_missing", from, "last_missing", to)
	}
	r.cursor.Sequence = to
}

// advance notes what the sink has. The cursor is written when there is nothing more to
// send, and each second while there is.
func (r *Runner) advance(seq uint64, caughtUp bool) {
	r.cursor.Sequence = max(r.cursor.Sequence, seq)
	if caughtUp || time.Since(r.savedAt) > saveInterval {
		r.save()
	}
	r.sent = time.Now()
}

// save writes the cursor. Without it the sink goes on, and would be sent some of it again.
func (r *Runner) save() {
	if r.cursor.Sequence == r.Status().Sequence {
		return
	}
	if err := r.cursor.Write(r.o.Cursor); err != nil {
		r.progress.Failed(err)
		r.o.Logger.Error("a sink's cursor cannot be written: after a restart it will be sent some records again", "error", err)
		return
	}
	r.progress.Saved(r.cursor.Sequence)
	r.savedAt = time.Now()
}

// Status implements Sink.
func (r *Runner) Status() Status {
	s := r.progress.At(r.o.Trail.Head().Seq, time.Now())
	s.Name, s.Required = r.o.Name, r.o.Required
	return s
}

// Taken implements Sink: it is what the cursor says, so that what a restart would send
// again is still there.
func (r *Runner) Taken() (uint64, error) { return r.Status().Sequence, nil }
