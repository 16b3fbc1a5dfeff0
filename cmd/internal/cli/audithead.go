package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/internal/daemon"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type auditHeadCmd struct {
	DataDir string `arg:"" optional:"" help:"A data directory, whose journal is checked first, without a server. Else the server is asked."`
	Signed  bool   `help:"The newest record that signed digests of all Regions stand for, instead of the newest of all. The server is asked."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*auditHeadCmd) Help() string {
	return `One line, "<journal>:<number>:<hash>": the newest durable record, and the hash that stands for it
and all before it. Who keeps it where the server cannot write can tell later that nothing was
taken off the end of the journal, or of the signed digests:

    strongroom audit verify DATA-DIR --head "$HEAD" --signed "$SIGNED"

The head is also in the server's log: when it starts and stops, and with each digest.

Examples:

    strongroom audit head >> /mnt/elsewhere/heads
    strongroom audit head --signed >> /mnt/elsewhere/signed`
}

// Run prints the head.
func (c *auditHeadCmd) Run(ctx context.Context, p *Process) error {
	if c.DataDir == "" {
		return askOperator(ctx, p, c.requestFlags, operator.DescribeAudit, &operatorv1.DescribeAuditRequest{}, c.show)
	}
	if c.Signed || c.JSON {
		return usagef("--signed and --json are for the server: they go without a data directory")
	}
	report, err := audit.Verify(daemon.JournalDir(c.DataDir))
	if err != nil {
		return err
	}
	return printHead(p.Stdout, report.Journal.String(), report.Last, report.Head.String())
}

func (c *auditHeadCmd) show(w io.Writer, a *operatorv1.DescribeAuditResponse) error {
	if !c.Signed {
		return printHead(w, a.GetJournalId(), a.GetHeadSequence(), a.GetHeadHash())
	}
	var newest *operatorv1.AuditDigest
	for _, d := range a.GetDigests() {
		if newest == nil || d.GetLastSequence() < newest.GetLastSequence() {
			newest = d
		}
	}
	if newest == nil {
		return errors.New("there is no signed digest yet")
	}
	return printHead(w, a.GetJournalId(), newest.GetLastSequence(), newest.GetLastHash())
}

func printHead(w io.Writer, journal string, sequence uint64, hash string) error {
	_, err := fmt.Fprintf(w, "%s:%d:%s\n", journal, sequence, hash)
	return err
}
