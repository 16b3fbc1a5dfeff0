package audit

import (
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Cut returns what both trails hold now, to be copied beside the requests that go
// on being recorded.
func (t *Trail) Cut() journal.Cut { return t.journal.Cut() }

// Checker checks a Cut as Verify checks the files of a journal, segment by segment
// as they come.
type Checker struct {
	verifier *verifier
	journal  journal.Checker
}

// NewChecker returns a Checker for trails from their oldest segment on.
func NewChecker() *Checker {
	v := newVerifier(nil)
	return &Checker{verifier: v, journal: journal.Checker{Visit: v.visit}}
}

// Segment checks the next segment, of so many bytes. A *journal.Corruption says
// that it is bad; other errors are r's.
func (c *Checker) Segment(number uint64, length int64, r io.Reader) error {
	return c.journal.Segment(number, length, r)
}

// Complete says, after the last segment, whether the trails may begin where they do: at
// their first record, or where retention has trimmed them. An error is a
// *journal.Corruption.
func (c *Checker) Complete() error {
	return c.verifier.state.mayBegin(c.journal.Report().FirstSegment)
}

// Report returns what was found so far.
func (c *Checker) Report() Report {
	report := c.verifier.report
	report.Report = c.journal.Report()
	return report
}

// Change is a change that was announced in the trails.
type Change struct {
	Intent
	// Seq is the number of the intent's record.
	Seq uint64
	// Settled says that there is an event of the request, at EventTime, and
	// ErrorCode its error; an error does not always mean that nothing was changed.
	Settled   bool
	EventTime time.Time
	ErrorCode string
}

// ChangesAfter yields the changes whose intents were recorded in the journal in dir
// after record seq, as their events come, and those without one last. It verifies
// the records that it reads. An error is yielded last; it is journal.ErrTrimmed if
// records after seq were removed.
func ChangesAfter(dir string, seq uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		open := openChanges{}
		for r, err := range readAfter(dir, seq) {
			var settled []Change
			if err == nil {
				settled, err = open.take(r)
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			if !yieldAll(yield, settled) {
				return
			}
		}
		yieldAll(yield, open)
	}
}

// readAfter yields the records after seq, and journal.ErrTrimmed if not all of them are
// left.
func readAfter(dir string, seq uint64) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		next := seq + 1
		for r, err := range journal.Read(dir, next) {
			if err == nil && r.Seq != next {
				err = fmt.Errorf("%w: after record %d comes record %d", journal.ErrTrimmed, next-1, r.Seq)
			}
			if !yield(r, err) || err != nil {
				return
			}
			next++
		}
	}
}

func yieldAll(yield func(Change, error) bool, changes []Change) bool {
	for _, c := range changes {
		if !yield(c, nil) {
			return false
		}
	}
	return true
}

// openChanges is the changes that have no event so far.
type openChanges []Change

// take looks at a record and returns the changes that it settles.
func (o *openChanges) take(r journal.Record) ([]Change, error) {
	switch {
	case r.Kind == kindIntent:
		in, err := decode[Intent](r.Body)
		if err != nil {
			return nil, fmt.Errorf("reading the intent of record %d: %w", r.Seq, err)
		}
		*o = append(*o, Change{Intent: in, Seq: r.Seq})
	case r.Kind == kindEvent && len(*o) > 0:
		return o.settle(r)
	}
	return nil, nil
}

func (o *openChanges) settle(r journal.Record) (settled []Change, err error) {
	e, err := decode[struct{ RequestID, ErrorCode string }](r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the event of record %d: %w", r.Seq, err)
	}
	var rest openChanges
	for _, c := range *o {
		if c.RequestID != e.RequestID {
			rest = append(rest, c)
			continue
		}
		c.Settled, c.EventTime, c.ErrorCode = true, r.Time, e.ErrorCode
		settled = append(settled, c)
	}
	*o = rest
	return settled, nil
}
