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
}

// Verify reads the trails in dir and checks the journal's chain, that every
// body can be parsed, that each HSM's sequence numbers have no gap, that no
// reboot counter falls, and that every checkpoint is true. An error is a
// *journal.Corruption if the records are at fault. It may run beside the
// process that writes them.
func Verify(dir string) (Report, error) {
	v := verifier{state: newState()}
	report, err := journal.Inspect(dir, v.visit)
	v.report.Report, v.report.MetadataRevision = report, v.state.snapshot().MetadataRevision
	return v.report, err
}

type verifier struct {
	state  *state
	report Report
}

func (v *verifier) visit(r journal.Record) error {
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
	return len(a.Intents) == 0 || reflect.DeepEqual(a.Intents, b.Intents)
}
