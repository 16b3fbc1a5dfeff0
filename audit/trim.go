package audit

import (
	"context"
	"fmt"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// trimMark is the body of a record that says that the segments below one are
// removed. It is durable before they go, stands in the chain, and is repeated in every
// checkpoint: so what retention removed is told from what somebody else did.
type trimMark struct {
	// Segment is the number of the oldest segment left.
	Segment uint64 `json:"segment"`
	// FirstSequence is the number of the first record in it.
	FirstSequence uint64 `json:"firstSequence"`
}

func (m trimMark) appendJSON(dst []byte) []byte {
	o := openObject(dst)
	o.number("segment", m.Segment)
	o.number("firstSequence", m.FirstSequence)
	return o.close()
}

// trim takes in that segments are removed.
func (s *state) trim(body []byte) error {
	m, err := decode[trimMark](body)
	if err != nil {
		return fmt.Errorf("trim mark: %w", err)
	}
	if m.Segment < 2 || m.FirstSequence == 0 {
		return fmt.Errorf("trim mark: no segment is before segment %d with record %d", m.Segment, m.FirstSequence)
	}
	if s.at.Trimmed == nil || m.Segment > s.at.Trimmed.Segment {
		s.at.Trimmed = &m
	}
	return nil
}

// mayBegin says whether the journal may have nothing before a segment.
func (s *state) mayBegin(segment uint64) error {
	begins := trimMark{Segment: 1, FirstSequence: 1}
	if at := s.snapshot(); at.Trimmed != nil {
		begins = *at.Trimmed
	}
	if segment <= begins.Segment {
		return nil
	}
	return &journal.Corruption{Segment: begins.Segment, Seq: begins.FirstSequence, Reason: "segment is missing"}
}

// First returns the number of the oldest record left.
func (t *Trail) First() uint64 { return t.journal.First() }

// Size returns how much the journal takes on the disk, in bytes, zero fill not counted.
func (t *Trail) Size() int64 { return t.journal.Size() }

// Segments returns the journal's segments, oldest first.
func (t *Trail) Segments() []journal.Segment { return t.journal.Segments() }

// Trim removes the oldest segments of the journal all of whose records are numbered below
// before, as journal.Journal.Trim does, and records that first. ctx bounds the wait for
// that record only.
func (t *Trail) Trim(ctx context.Context, before uint64) (journal.Trimmed, error) {
	return t.journal.Trim(before, func(oldest journal.Segment) error {
		if m := t.state.snapshot().Trimmed; m != nil && m.Segment >= oldest.Number {
			return nil // recorded, and then cut off
		}
		mark := trimMark{Segment: oldest.Number, FirstSequence: oldest.First}
		_, err := t.journal.Append(ctx, journal.Entry{Kind: kindTrim, Body: mark.appendJSON(nil)})
		return err
	})
}
