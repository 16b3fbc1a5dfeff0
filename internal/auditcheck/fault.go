package auditcheck

import (
	"errors"
	"fmt"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Fault is something that somebody altered, removed, moved or forged.
type Fault struct {
	// Record is the number of the first record that it puts in doubt, 0 if none can be
	// named.
	Record uint64
	// File is the file that is bad or missing; empty if it is no single one.
	File string
	// Offset is where in a segment of the journal, in bytes; 0 elsewhere.
	Offset int64
	// Reason says what is wrong, and Meaning what to conclude.
	Reason, Meaning string
}

// Error implements error.
func (f *Fault) Error() string {
	where := "record unknown"
	if f.Record > 0 {
		where = fmt.Sprintf("record %d", f.Record)
	}
	if f.File != "" {
		where += ", in " + f.File
	}
	if f.Offset > 0 {
		where += fmt.Sprintf(" at offset %d", f.Offset)
	}
	return where + ": " + f.Reason
}

// Meanings of faults.
const (
	meansAltered   = "The journal was altered after it was written. All records before this one are good."
	meansRewritten = "The journal was rewritten, its hash chain too, by somebody who could write the directory. Trust the log files, whose digests are signed."
	meansCutOff    = "The end of the journal was removed, or all of it was put back to an earlier state."
	meansForeign   = "The journal was replaced by another one, or is not the one that these belong to."
	meansBehind    = "The beginning of the journal was removed by somebody, or all of it was made anew: nothing signed vouches for what is left."
	meansExport    = "What digests sign is not as it was: look for the same records in the journal and in other copies."
	meansDiffer    = "The journal was altered, or its digests are not signed by the key that you think: the log files are as signed."
)

// journalFaults returns what is wrong by an error of audit.Verify, or the error.
func journalFaults(err error) ([]Fault, error) {
	var found []Fault
	if pin := (*audit.PinError)(nil); errors.As(err, &pin) {
		f := Fault{Record: pin.From, Reason: pin.Error(), Meaning: meansRewritten}
		switch {
		case pin.Missing:
			f.Meaning = meansCutOff
		case pin.Later > 0:
			f.Meaning = meansForeign
		}
		found = append(found, f)
	}
	if bad := (*journal.Corruption)(nil); errors.As(err, &bad) {
		found = append(found, Fault{Record: bad.Seq, File: bad.File(), Offset: bad.Offset, Reason: bad.Reason, Meaning: meansAltered})
	}
	if len(found) > 0 {
		err = nil
	}
	return found, err
}

// exportFaults does the same for errors of cloudtrail.Check.
func exportFaults(err error) ([]Fault, error) {
	invalid := (*cloudtrail.Invalid)(nil)
	if !errors.As(err, &invalid) {
		return nil, err
	}
	var found []Fault
	for _, p := range invalid.Problems {
		found = append(found, Fault{Record: p.Sequence, File: p.File, Reason: p.Reason, Meaning: meansExport})
	}
	return found, nil
}
