package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/internal/daemon"
)

type auditVerifyCmd struct {
	DataDir string `arg:"" help:"The server's data directory."`
}

// Help is part of kong's HelpProvider.
func (*auditVerifyCmd) Help() string {
	return `Recomputes the hash chain over all records and checks that the HSM entries have
no gap. Names the first bad record, and why it is bad; then the exit status is 1.
It may run beside the server.

Note the head hash and keep it elsewhere: whoever can write the directory could
replace the whole journal, but not so that a head you know is still in its chain.

Example:

    strongroom audit verify ./strongroom-dev`
}

// Run checks the journal.
func (c *auditVerifyCmd) Run(p *Process) error {
	report, err := audit.Verify(daemon.JournalDir(c.DataDir))
	var bad *journal.Corruption
	if errors.As(err, &bad) {
		return fmt.Errorf("first bad record: number %d, in %s at offset %d: %s (%d records before it are good)",
			bad.Seq, bad.File(), bad.Offset, bad.Reason, report.Records)
	}
	if err != nil {
		return err
	}
	return auditReport(p.Stdout, report)
}

// recordKinds counts the records of a journal by their kinds.
func recordKinds(r audit.Report) string {
	return strings.Join([]string{
		present.Count(r.Events, "API event", "API events"),
		present.Count(r.Intents, "intent", "intents"),
		present.Count(r.HSMEntries, "HSM entry", "HSM entries"),
	}, ", ")
}

func auditReport(w io.Writer, r audit.Report) error {
	fields := []present.Field{
		{Name: "Journal", Value: fmt.Sprint(r.Journal)},
		{Name: "Records", Value: fmt.Sprintf("%d good, in %s", r.Records, present.Count(r.Segments, "segment", "segments"))},
		{Name: "Of these", Value: recordKinds(r)},
		{Name: "Head", Value: fmt.Sprint(r.Head)},
	}
	if r.Records > 0 {
		fields = append(fields,
			present.Field{Name: "First", Value: fmt.Sprintf("number %d, %s", r.First, r.FirstTime.Format(time.RFC3339Nano))},
			present.Field{Name: "Last", Value: fmt.Sprintf("number %d, %s", r.Last, r.LastTime.Format(time.RFC3339Nano))})
	}
	if r.Torn != nil {
		fields = append(fields, present.Field{Name: "Unfinished",
			Value: fmt.Sprintf("%d bytes after the last record, in segment %d: a write in progress, or one cut off by a crash", r.Torn.Bytes, r.Torn.Segment)})
	}
	return present.Fields(w, fields)
}
