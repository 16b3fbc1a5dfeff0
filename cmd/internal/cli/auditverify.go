package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/strongroom-kms/strongroom/internal/auditcheck"
	"github.com/strongroom-kms/strongroom/internal/daemon"
)

type auditVerifyCmd struct {
	DataDir   string    `arg:"" optional:"" help:"The server's data directory, or a copy of it."`
	Journal   string    `help:"The journal's directory, if not DATA-DIR/journal."`
	Export    string    `help:"The directory of log files and digests, if not DATA-DIR/trail: what holds AWSLogs or its prefix."`
	PublicKey []string  `help:"PEM file with the keys that sign digests, from somebody else than the files. May be repeated."`
	Head      []string  `help:"Head of the journal, kept elsewhere: <journal>:<number>:<hash>. May be repeated."`
	Signed    []string  `help:"The same of a point that digests had reached."`
	Since     time.Time `help:"Digests that ended before may have been removed: 2006-01-02T15:04:05Z."`
}

// Help is part of kong's HelpProvider.
func (*auditVerifyCmd) Help() string {
	return `Recomputes the hash chain over all records of the journal and checks that the HSM entries
have no gap; checks the signatures of the digests, their chain, and the log files that they
name; and compares the journal with them. Names the first bad record or file, and what to
conclude; then the exit status is 1. It needs no server, and may run beside one.

Without --public-key signatures show nothing: whoever can write the files can have made
them all anew. Without --head nothing shows that the newest records are missing, and without
--signed that the newest digests are. All of it: docs/verifying.md.

Examples:

    strongroom audit verify ./strongroom-dev
    strongroom audit verify evidence --public-key keys.pem --head "$(tail -1 heads.txt)"
    strongroom audit verify --export copy-of-bucket --public-key keys.pem`
}

// Run checks what there is.
func (c *auditVerifyCmd) Run(ctx context.Context, p *Process) error {
	options, keys, err := c.options()
	if err != nil {
		return err
	}
	result, err := auditcheck.Check(ctx, options)
	if err != nil {
		return err
	}
	v := verification{Result: result, options: options, keys: keys}
	if err := v.print(p.Stdout); err != nil {
		return err
	}
	return v.err()
}

// options puts together what there is to check, and says where the keys are from.
func (c *auditVerifyCmd) options() (o auditcheck.Options, keys keySource, err error) {
	o.Journal, o.Export, o.Since = c.Journal, c.Export, c.Since
	if c.DataDir != "" && o.Journal == "" {
		o.Journal = daemon.JournalDir(c.DataDir)
	}
	if trail := filepath.Join(c.DataDir, "trail"); c.DataDir != "" && o.Export == "" && isDir(trail) {
		o.Export = trail
	}
	if o.Journal == "" && o.Export == "" {
		return o, noKeys, errors.New("nothing to check: want DATA-DIR, --journal or --export")
	}
	if o.Export == "" && len(c.PublicKey) > 0 {
		return o, noKeys, errors.New("public keys are given, but no digests are there that they could have signed: want DATA-DIR/trail or --export")
	}
	if o.Heads, err = parseHeads(c.Head); err != nil {
		return o, noKeys, err
	}
	if o.Signed, err = parseHeads(c.Signed); err != nil {
		return o, noKeys, err
	}
	o.Keys, keys, err = readKeys(c.PublicKey, o.Export)
	if keys == foundKeys && len(o.Keys) == 0 {
		o.Export, keys = "", noKeys // the first digest is not made yet, as far as can be told
	}
	if err == nil && o.Journal == "" && o.Export == "" {
		err = errors.New("no keys to check digests with: want --public-key")
	}
	return o, keys, err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func parseHeads(texts []string) (heads []auditcheck.Head, err error) {
	for _, text := range texts {
		h, err := auditcheck.ParseHead(text)
		if err != nil {
			return nil, err
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// err is the first fault, nil if there is none.
func (v *verification) err() error {
	if len(v.Faults) == 0 {
		return nil
	}
	f := v.Faults[0]
	where := fmt.Sprintf("number %d", f.Record)
	if f.File != "" {
		where += ", in " + f.File
	}
	if f.Offset > 0 {
		where += fmt.Sprintf(" at offset %d", f.Offset)
	}
	return fmt.Errorf("first bad record: %s: %s", where, f.Reason)
}
