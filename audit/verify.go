package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Report is what Verify found.
type Report struct {
	journal.Report
	// Events, Intents and HSMEntries count the records of each kind.
	Events, Intents, HSMEntries uint64
	// MetadataRevision is that of Trail.MetadataRevision.
	MetadataRevision uint64
	// PinsChecked counts the pins that were found in the chain, PinsBefore those of
	// records that retention has removed: nothing tells whether they were right.
	PinsChecked, PinsBefore int
}

// Verify reads the trails in dir and checks the journal's chain, that every
// body can be parsed, that each HSM's sequence numbers have no gap, that no
// reboot counter falls, that every checkpoint is true, and that nothing is missing before
// the oldest segment but what retention removed. It compares the chain with pins: without
// them it does not find that the whole journal was rewritten, that its tail was cut off
// where a crash could have left it, or that the directory was put back to an earlier state.
//
// An error is a *journal.Corruption if the records are at fault, a *PinError if the chain is
// whole and a pin differs, or both: the pin's, then, is of an earlier record. It may run
// beside the process that writes the trails.
func Verify(dir string, pins ...Pin) (Report, error) {
	for {
		report, err := newVerifier(pins).verify(dir)
		if !errors.Is(err, journal.ErrTrimmed) { // else what is left was not read yet
			return report, err
		}
	}
}

type verifier struct {
	state  *state
	pins   *pinning
	report Report
	begun  bool // a record was seen
}

func newVerifier(pins []Pin) *verifier {
	return &verifier{state: newState(), pins: newPinning(pins)}
}

func (v *verifier) verify(dir string) (Report, error) {
	report, err := journal.Walk(dir, journal.Visitor{Header: v.header, Record: v.visit})
	if err == nil {
		err = v.state.mayBegin(report.FirstSegment)
	}
	v.report.Report, v.report.MetadataRevision = report, v.state.snapshot().MetadataRevision
	if bad := v.pins.check(&v.report, report.Removed, max(report.Removed, report.Last), err == nil); bad != nil {
		err = errors.Join(bad, err)
	}
	return v.report, err
}

func (v *verifier) header(h journal.Header) error {
	v.pins.at(h.First-1, h.Before)
	v.pins.at(h.First-1, h.After)
	return nil
}

func (v *verifier) visit(r journal.Record) error {
	v.pins.at(r.Seq, r.Hash)
	if first := !v.begun; first && r.Seq > 1 {
		v.begun = true
		return v.resume(r)
	}
	v.begun = true
	switch r.Kind {
	case kindCheckpoint:
		return v.checkpoint(r)
	case kindEvent:
		if !json.Valid(r.Body) || r.Body[0] != '{' {
			return errors.New("API event is not a JSON object")
		}
		v.report.Events++
	case kindIntent:
		v.report.Intents++
	case kindHSMEntry:
		v.report.HSMEntries++
	}
	return v.state.Observe(r)
}

// resume takes in the first record that retention has left: what was before it is known
// from it alone.
func (v *verifier) resume(r journal.Record) error {
	if r.Kind != kindCheckpoint {
		return errors.New("the oldest segment does not begin with a checkpoint")
	}
	return v.state.Observe(r)
}

// checkpoint compares what a checkpoint says with what came before it.
func (v *verifier) checkpoint(r journal.Record) error {
	said, err := decode[checkpoint](r.Body)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	have := v.state.snapshot()
	if !sameCheckpoint(said, have) {
		return errors.New("checkpoint differs from the records before it")
	}
	return nil
}

func sameCheckpoint(a, b checkpoint) bool {
	if len(a.HSMs) != len(b.HSMs) || len(a.Intents) != len(b.Intents) || a.MetadataRevision != b.MetadataRevision {
		return false
	}
	for id, h := range a.HSMs {
		if b.HSMs[id] != h {
			return false
		}
	}
	if (a.Trimmed == nil) != (b.Trimmed == nil) || a.Trimmed != nil && *a.Trimmed != *b.Trimmed {
		return false
	}
	return len(a.Intents) == 0 || reflect.DeepEqual(a.Intents, b.Intents)
}
