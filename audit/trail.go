package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
	unsettled []Intent // as Open found them
	buffers   sync.Pool
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
	})
	if err != nil {
		return nil, found, fmt.Errorf("opening the audit trails: %w", err)
	}
	at, err := s.snapshot()
	if err != nil {
		err = fmt.Errorf("opening the audit trails: %w", err)
		return nil, found, errors.Join(err, j.Close(context.Background()))
	}
	t := &Trail{journal: j, state: s, hsms: newHSMWriter(j, at.HSMs), unsettled: at.Intents}
	t.hsms.start()
	return t, found, nil
}

// Close writes what is queued and closes the journal. If ctx ends before, it
// returns the error of ctx and closing goes on.
func (t *Trail) Close(ctx context.Context) error {
	return errors.Join(t.hsms.close(ctx), t.journal.Close(ctx))
}

// Healthy returns nil, or why nothing can be recorded.
func (t *Trail) Healthy() error {
	if _, err := t.state.snapshot(); err != nil {
		return err
	}
	return t.journal.Healthy()
}

// RecordEvent writes the event. It is durable when nil is returned.
func (t *Trail) RecordEvent(ctx context.Context, e *APIEvent) error {
	buf, ok := t.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	*buf = e.AppendJSON((*buf)[:0])
	_, err := t.journal.Append(ctx, journal.Entry{Kind: kindEvent, Body: *buf})
	t.buffers.Put(buf)
	if err != nil {
		return fmt.Errorf("recording the API event: %w", err)
	}
	return nil
}

// Boot counts a start of the HSM's worker and returns the new reboot counter,
// from 1 on. The counter is durable when nil is returned.
func (t *Trail) Boot(ctx context.Context, hsmID string) (uint32, error) {
	if hsmID == "" {
		return 0, errors.New("recording an HSM's start: no HSM id")
	}
	counter, err := t.hsms.boot(ctx, hsmID)
	if err != nil {
		return 0, fmt.Errorf("recording the start of HSM %s: %w", hsmID, err)
	}
	return counter, nil
}

// RecordHSM writes an HSM entry for each command. They are durable when nil is
// returned. If they could not be written, or ctx ended first, they keep their
// sequence numbers and are written before any later entry; they must not be
// recorded again.
func (t *Trail) RecordHSM(ctx context.Context, hsmID string, cmds ...HSMCommand) error {
	if err := checkCommands(hsmID, cmds); err != nil {
		return fmt.Errorf("recording HSM commands: %w", err)
	}
	if err := t.hsms.record(ctx, hsmID, cmds); err != nil {
		return fmt.Errorf("recording commands of HSM %s: %w", hsmID, err)
	}
	return nil
}

func checkCommands(hsmID string, cmds []HSMCommand) error {
	if hsmID == "" {
		return errors.New("no HSM id")
	}
	for _, c := range cmds {
		if c.Function == "" {
			return errors.New("a command without a function")
		}
	}
	return nil
}
