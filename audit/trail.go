package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// minSegmentSize leaves room in a segment for the largest event, in bytes.
const minSegmentSize = 1 << 20

// Options says where the trails are.
type Options struct {
	// Dir is the directory of their journal. It is made if missing.
	Dir string
	// SegmentSize is the journal's, in bytes, from 1 MiB on; 0 means its
	// default, 16 MiB.
	SegmentSize int64
	// IndexDir is the directory of the indexes that searches use. It is made if
	// missing, and may be lost: what is not there is made again. Empty means "index"
	// beside Dir.
	IndexDir string
	// Logger receives faults and recoveries. It may be nil.
	Logger hclog.Logger
}

// Trail is both trails, open. Its methods may be called from many goroutines.
// Errors of its Record methods are journal.ErrUnavailable, journal.ErrClosed,
// journal.ErrTooLarge or the context's.
type Trail struct {
	journal   *journal.Journal
	state     *state
	hsms      *hsmWriter
	indexes   *indexes
	searching chan struct{} // has a value for each search under way
	unsettled []Intent      // as Open found them
	buffers   sync.Pool

	mu      sync.Mutex
	closed  bool
	intents sync.WaitGroup // appends of intents
}

// Open opens the trails in opts.Dir, makes them if there are none, and says
// what it found. Its errors are those of journal.Open.
func Open(opts Options) (*Trail, journal.Recovery, error) {
	if opts.SegmentSize != 0 && opts.SegmentSize < minSegmentSize {
		return nil, journal.Recovery{}, fmt.Errorf("audit segment size %d is below %d", opts.SegmentSize, minSegmentSize)
	}
	s := newState()
	j, found, err := journal.Open(journal.Options{
		Dir: opts.Dir, SegmentSize: opts.SegmentSize, Logger: opts.Logger, State: s,
		Accept: func(found journal.Recovery) error { return s.mayBegin(found.FirstSegment) },
	})
	if err != nil {
		return nil, found, fmt.Errorf("opening the audit trails: %w", err)
	}
	at := s.snapshot()
	t := &Trail{
		journal: j, state: s, hsms: newHSMWriter(j, at.HSMs, opts.Logger), unsettled: at.Intents,
		searching: make(chan struct{}, searchesAtOnce()),
	}
	t.indexes = newIndexes(j, cmp.Or(opts.IndexDir, filepath.Join(filepath.Dir(filepath.Clean(opts.Dir)), "index")), opts.Logger)
	t.indexes.start()
	t.hsms.start()
	warnLeftOut(t.hsms.log)
	return t, found, nil
}

// Close writes what is queued and closes the journal. If ctx ends before, it
// returns the error of ctx and closing of the journal goes on. HSM entries that
// could not be written are lost, and logged.
func (t *Trail) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.indexes.close()
	err := errors.Join(t.hsms.close(ctx), t.journal.Close(ctx))
	if ctx.Err() == nil {
		t.intents.Wait() // the closed journal has answered them
	}
	return err
}

// Healthy returns nil, or why something cannot be recorded.
func (t *Trail) Healthy() error {
	if err := t.journal.Healthy(); err != nil {
		return err
	}
	if err := t.hsms.fault(); err != nil {
		return fmt.Errorf("writing HSM entries: %w", err)
	}
	return t.state.full()
}

// IndexLag returns how many durable records no index has yet. A search takes them
// in first, so that it always sees everything.
func (t *Trail) IndexLag() uint64 { return t.indexes.lag() }

// RecordEvent writes the event. It is durable when nil is returned.
func (t *Trail) RecordEvent(ctx context.Context, e *APIEvent) error {
	if leftOut(e) {
		return nil
	}
	buf, ok := t.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	*buf = e.AppendJSON((*buf)[:0])
	_, err := t.journal.Append(ctx, e.entries(*buf)...)
	t.buffers.Put(buf)
	if err != nil {
		return fmt.Errorf("recording the API event: %w", err)
	}
	return nil
}

// Boot counts a start of the HSM's worker and returns the new reboot counter,
// from 1 on. It does not wait: FlushHSM tells when the counter is durable. It
// fails for a bad id and, with journal.ErrClosed, after Close.
func (t *Trail) Boot(hsmID string) (uint32, error) {
	err := checkID(hsmID)
	var counter uint32
	if err == nil {
		counter, err = t.hsms.boot(hsmID)
	}
	if err != nil {
		return 0, fmt.Errorf("recording the start of an HSM's worker: %w", err)
	}
	return counter, nil
}

// QueueHSM queues an HSM entry for each command and does not wait: FlushHSM tells
// when they are durable. Entries get their sequence numbers here, and are written
// in this order as soon as the journal takes them. It fails for a bad id, for a
// command without a function and, with journal.ErrClosed, after Close; then it has
// queued none.
//
// The queue has no bound of its own: who sends commands to an HSM does so only
// after a FlushHSM that returned nil, and then queues their entries.
func (t *Trail) QueueHSM(hsmID string, cmds ...HSMCommand) error {
	err := checkCommands(hsmID, cmds)
	if err == nil {
		err = t.hsms.queueCommands(hsmID, cmds)
	}
	if err != nil {
		return fmt.Errorf("recording HSM commands: %w", err)
	}
	return nil
}

// FlushHSM returns nil when everything that Boot and QueueHSM were given before is
// durable. If something is not, it is tried again now, and that attempt's error is
// returned, or the error of ctx if that ends first; it stays queued and is written
// later all the same.
func (t *Trail) FlushHSM(ctx context.Context) error {
	if err := t.hsms.flush(ctx); err != nil {
		return fmt.Errorf("writing HSM entries: %w", err)
	}
	return nil
}

func checkCommands(hsmID string, cmds []HSMCommand) error {
	for _, c := range cmds {
		if c.Function == "" {
			return errors.New("a command without a function")
		}
	}
	return checkID(hsmID)
}

// maxHSMID bounds the name of an HSM, in bytes: it stands in each of its entries.
const maxHSMID = 256

func checkID(hsmID string) error {
	if n := len(hsmID); n == 0 || n > maxHSMID || !utf8.ValidString(hsmID) {
		return fmt.Errorf("HSM id of %d bytes: want UTF-8 of 1 to %d bytes", n, maxHSMID)
	}
	return nil
}
