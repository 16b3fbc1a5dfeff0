package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	"github.com/strongroom-kms/strongroom/internal/daemon"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

type restoreCmd struct {
	File         string `arg:"" help:"The backup."`
	DataDir      string `required:"" placeholder:"DIR" help:"The data directory of the server, which must not run."`
	MetadataOnly bool   `help:"Keep the audit journal, and replace only metadata.db."`
}

// Help is part of kong's HelpProvider.
func (*restoreCmd) Help() string {
	return `Makes a data directory from a backup. All of the backup is checked before anything is put
in its place. A metadata.db or a journal that is there is not touched.

With --metadata-only the journal in the directory stays, which must be the one of the
backup, and a metadata.db is moved aside, for when it was damaged or lost. What was changed
after the backup is then not in the metadata; these changes are listed from the journal.

Keys whose deletion was scheduled in the backup are deleted a week after the restore at the
earliest, and are listed: cancel what should stay.

Afterwards, strongroom hsm orphans shows which keys token and metadata do not share.

Examples:

    strongroom restore --data-dir /var/lib/strongroom strongroom-2026-11-23.backup
    strongroom restore --metadata-only --data-dir /var/lib/strongroom strongroom-2026-11-23.backup`
}

// Run restores the backup.
func (c *restoreCmd) Run(p *Process) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	r := bufio.NewReaderSize(f, backupBuffer)
	if c.MetadataOnly {
		return c.restoreMetadata(p, r)
	}
	restoration := &keystore.Restoration{Now: time.Now()}
	contents, err := restoreAll(c.DataDir, r, restoration, p.Stderr)
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	if err := contents.print(p.Stdout, c.File); err != nil {
		return err
	}
	return printDeletions(p.Stdout, restoration.Deletions)
}

// restoreAll makes the journal and the metadata of a data directory that has
// neither. Both are made and checked in a directory of their own, and moved.
func restoreAll(dataDir string, r io.Reader, restoration *keystore.Restoration, warnings io.Writer) (*backupContents, error) {
	if err := refuseUsed(dataDir); err != nil {
		return nil, err
	}
	s, err := newStaging(dataDir)
	if err != nil {
		return nil, err
	}
	defer s.remove(warnings)
	return s.restore(r, restoration)
}

// refuseUsed wants a directory without journal and metadata.
func refuseUsed(dataDir string) error {
	dir := daemon.JournalDir(dataDir)
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
		if err := unheld(dir); err != nil {
			return err
		}
		return fmt.Errorf("%s holds an audit journal already: restore into another directory, or only the metadata with --metadata-only", dir)
	}
	if file := daemon.MetadataFile(dataDir); atomicfile.Check(file, atomicfile.Create) != nil {
		return fmt.Errorf("%s exists already: restore into another directory, or move it away", file)
	}
	return nil
}

// unheld says who has the journal open, if anybody has.
func unheld(journalDir string) error {
	lock, err := journal.Lock(journalDir)
	if err != nil {
		return stopFirst(err)
	}
	return lock.Close()
}

func stopFirst(err error) error {
	if errors.Is(err, journal.ErrInUse) {
		return fmt.Errorf("stop the server first: %w", err)
	}
	return err
}

// restore makes journal and metadata and moves them into the data directory. The
// journal is locked all the while, so that no server starts on half of it.
func (s staging) restore(r io.Reader, restoration *keystore.Restoration) (*backupContents, error) {
	dir := daemon.JournalDir(s.dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := journal.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close() //nolint:errcheck // it has nothing to write
	contents, err := readBackup(r, backupUse{
		entries: func(h archive.Header, entries iter.Seq2[metadata.Entry, error]) error {
			return s.createMetadata(h, entries, restoration)
		},
		segment: func(segment archive.Segment) (io.WriteCloser, error) {
			return journal.RestoreSegment(dir, segment.Number)
		},
	})
	if err == nil {
		err = journal.CompleteRestore(dir)
	}
	if err == nil {
		err = s.publish()
	}
	return contents, err
}

// printDeletions lists the keys that are to be deleted.
func printDeletions(w io.Writer, deletions []keystore.Deletion) error {
	if len(deletions) == 0 {
		return nil
	}
	var rows [][]string
	for _, d := range deletions {
		date := d.Date.UTC().Format(time.RFC3339)
		if d.Begun {
			date = "has begun, cannot be cancelled"
		}
		rows = append(rows, []string{date, d.KeyARN})
	}
	fmt.Fprintf(w, "\nKeys to be deleted: %d. Cancel what should stay before its date, by strongroom key cancel-deletion:\n\n", len(rows))
	return present.Table(w, []string{"DELETION", "KEY"}, rows)
}
