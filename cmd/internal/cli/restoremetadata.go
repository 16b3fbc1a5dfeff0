package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	"github.com/strongroom-kms/strongroom/internal/daemon"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// restoreMetadata replaces the metadata and keeps the journal, which is locked
// meanwhile and must be the backup's, whole, and gone on since.
func (c *restoreCmd) restoreMetadata(p *Process, r io.Reader) error {
	dir := daemon.JournalDir(c.DataDir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no audit journal in %s: restore it too, without --metadata-only", dir)
	}
	lock, err := journal.Lock(dir)
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", stopFirst(err))
	}
	defer lock.Close() //nolint:errcheck // it has nothing to write
	contents, aside, err := restoreMetadata(c.DataDir, r)
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	if err := contents.print(p.Stdout, c.File); err != nil {
		return err
	}
	if aside != "" {
		fmt.Fprintf(p.Stdout, "The former metadata is kept in %s.\n", aside)
	}
	return printChanges(p.Stdout, dir, contents.header.HeadSequence)
}

func restoreMetadata(dataDir string, r io.Reader) (contents *backupContents, aside string, err error) {
	dir := daemon.JournalDir(dataDir)
	now, err := audit.Verify(dir)
	if err != nil {
		return nil, "", fmt.Errorf("the audit journal in %s is not good, so that nothing can be compared with it: %w", dir, err)
	}
	s, err := newStaging(dataDir)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, s.remove()) }()
	contents, err = readBackup(r, backupUse{
		entries: func(h archive.Header, entries iter.Seq2[metadata.Entry, error]) error {
			return createMetadata(daemon.MetadataFile(s.dir), h, entries, now)
		},
		segment: func(segment archive.Segment) (io.WriteCloser, error) {
			return newSegmentComparison(dir, segment.Number)
		},
	})
	if err != nil {
		return nil, "", err
	}
	if aside, err = moveAside(daemon.MetadataFile(dataDir)); err != nil {
		return nil, "", err
	}
	err = s.publishMetadata()
	if err != nil && aside != "" {
		err = errors.Join(err, os.Rename(aside, daemon.MetadataFile(dataDir)))
	}
	return contents, aside, err
}

// createMetadata makes the metadata of a backup for a journal that is at now.
func createMetadata(path string, h archive.Header, entries iter.Seq2[metadata.Entry, error], now audit.Report) error {
	if h.Journal != now.Journal.String() || h.HeadSequence > now.Last {
		return fmt.Errorf("the backup ends at record %d of journal %s, and this is journal %v up to record %d: it is another journal, or older than the backup",
			h.HeadSequence, h.Journal, now.Journal, now.Last)
	}
	if h.HeadSequence == now.Last {
		return metadata.CreateBolt(path, h.Revision, entries)
	}
	return metadata.CreateBolt(path, h.Revision+1, keystore.RaiseInvocations(h, entries, now.Last-h.HeadSequence))
}

// segmentComparison compares what is written to it with the beginning of a file.
type segmentComparison struct{ *os.File }

func newSegmentComparison(dir string, number uint64) (*segmentComparison, error) {
	f, err := os.Open(journal.SegmentFile(dir, number))
	if err != nil {
		return nil, fmt.Errorf("comparing segment %d of the journal with the backup: %w", number, err)
	}
	return &segmentComparison{f}, nil
}

// Write implements io.Writer.
func (c *segmentComparison) Write(b []byte) (int, error) {
	have := make([]byte, len(b))
	n, err := io.ReadFull(c.File, have)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	if !bytes.Equal(have[:n], b) {
		return 0, fmt.Errorf("%s is not what the backup has of it: the journal was exchanged or altered", c.Name())
	}
	return len(b), nil
}

// moveAside gives a file that is in the way another name, and returns that; "" if
// there is no file.
func moveAside(path string) (string, error) {
	aside := path + ".aside-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := atomicfile.Check(aside, atomicfile.Create); err != nil {
		return "", err
	}
	err := os.Rename(path, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return aside, err
}

// printChanges lists the changes that the journal has after a record.
func printChanges(w io.Writer, journalDir string, after uint64) error {
	var rows [][]string
	for c, err := range audit.ChangesAfter(journalDir, after) {
		if err != nil {
			return fmt.Errorf("listing the changes after the backup: %w", err)
		}
		rows = append(rows, []string{c.Time.UTC().Format(time.RFC3339), c.EventName, c.KeyARN, c.RequestID, outcomeOf(c)})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "The journal has no change after the backup: the metadata is as it was.")
		return err
	}
	fmt.Fprintf(w, "\nThe metadata lacks what these %d changes after the backup did:\n\n", len(rows))
	return present.Table(w, []string{"TIME", "CHANGE", "KEY", "REQUEST ID", "RESULT"}, rows)
}

func outcomeOf(c audit.Change) string {
	switch {
	case !c.Settled:
		return "cut off"
	case c.ErrorCode != "":
		return c.ErrorCode
	}
	return "ok"
}
