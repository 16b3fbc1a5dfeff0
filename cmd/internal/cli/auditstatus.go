package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type auditStatusCmd struct{ requestFlags }

// Help is part of kong's HelpProvider.
func (*auditStatusCmd) Help() string {
	return `The journal and its head; the newest digest of each Region, and up to which record of the
journal it stands for; who takes the trails, and how far behind they are. "files" are the log
files and digests in the server's directory. Nothing is removed from the journal that one who
is required has not taken.

Example:

    strongroom audit status --json`
}

// Run prints where the audit stands.
func (c *auditStatusCmd) Run(ctx context.Context, p *Process) error {
	return askOperator(ctx, p, c.requestFlags, operator.DescribeAudit, &operatorv1.DescribeAuditRequest{}, auditTables)
}

func auditTables(w io.Writer, a *operatorv1.DescribeAuditResponse) error {
	if err := present.Fields(w, auditFields(a)); err != nil {
		return err
	}
	digests := make([][]string, len(a.GetDigests()))
	for i, d := range a.GetDigests() {
		digests[i] = []string{d.GetRegion(), present.Time(d.GetEndTime()), fmt.Sprint(d.GetLastSequence()), d.GetFingerprint()}
	}
	if err := section(w, []string{"DIGEST OF", "UNTIL", "LAST RECORD", "SIGNED BY"}, digests); err != nil {
		return err
	}
	sinks := make([][]string, len(a.GetSinks()))
	for i, s := range a.GetSinks() {
		sinks[i] = []string{s.GetName(), fmt.Sprint(s.GetRequired()), fmt.Sprint(s.GetSequence()), lag(s), orDash(s.GetLastError())}
	}
	return section(w, []string{"TAKEN BY", "REQUIRED", "LAST RECORD", "BEHIND", "LAST ERROR"}, sinks)
}

func auditFields(a *operatorv1.DescribeAuditResponse) []present.Field {
	return []present.Field{
		{Name: "Journal", Value: a.GetJournalId()},
		{Name: "Records", Value: fmt.Sprintf("%d to %d, in %d bytes", a.GetFirstSequence(), a.GetHeadSequence(), a.GetJournalBytes())},
		{Name: "Head", Value: a.GetHeadHash()},
		{Name: "Index", Value: present.Count(a.GetIndexLag(), "record", "records") + " behind"},
	}
}

// section prints a table after an empty line, unless the table is empty.
func section(w io.Writer, heading []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return present.Table(w, heading, rows)
}

// lag says how far a sink is behind.
func lag(s *operatorv1.AuditSink) string {
	if s.GetLagRecords() == 0 {
		return "-"
	}
	waited := (time.Duration(s.GetLagMilliseconds()) * time.Millisecond).Round(time.Second)
	return fmt.Sprintf("%s, %v", present.Count(s.GetLagRecords(), "record", "records"), waited)
}
