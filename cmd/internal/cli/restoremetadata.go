package cli

import (
	"bytes"
	"cmp"
	"encoding/hex"
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
	m := metadataRestore{journalDir: dir, restoration: keystore.Restoration{Now: time.Now()}}
	contents, aside, err := m.restore(c.DataDir, r, p.Stderr)
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	if err := contents.print(p.Stdout, c.File); err != nil {
		return err
	}
	if aside != "" {
		fmt.Fprintf(p.Stdout, "The former metadata is kept in %s.\n", aside)
	}
	return errors.Join(printChanges(p.Stdout, m.restoration.Changes), printDeletions(p.Stdout, m.restoration.Deletions))
}

// metadataRestore restores metadata beside a journal that stays.
type metadataRestore struct {
	journalDir  string
	now         audit.Report // of the journal
	restoration keystore.Restoration
}

// restore returns besides under which name the former metadata is kept.
func (m *metadataRestore) restore(dataDir string, r io.Reader, warnings io.Writer) (contents *backupContents, aside string, err error) {
	s, err := newStaging(dataDir)
	if err != nil {
		return nil, "", err
	}
	defer s.remove(warnings)
	contents, err = readBackup(r, backupUse{
		entries: func(h archive.Header, entries iter.Seq2[metadata.Entry, error]) error {
			if err := m.follow(h); err != nil {
				return err
			}
			return s.createMetadata(h, entries, &m.restoration)
		},
		segment: func(segment archive.Segment) (io.WriteCloser, error) {
			if segment.Number < m.now.FirstSegment {
				return nil, nil //nolint:nilnil // retention has removed it: it goes nowhere
			}
			return newSegmentComparison(m.journalDir, segment.Number)
		},
	})
	if err == nil {
		aside, err = s.exchangeMetadata()
	}
	return contents, aside, err
}

// follow checks the journal, and finds out what it has after a backup.
func (m *metadataRestore) follow(h archive.Header) error {
	if err := m.compare(h); err != nil {
		return err
	}
	m.restoration.Records, m.restoration.Known = m.now.Last-h.HeadSequence, m.now.MetadataRevision
	for c, err := range audit.ChangesAfter(m.journalDir, h.HeadSequence) {
		if err != nil {
			return fmt.Errorf("listing the changes after the backup: %w", err)
		}
		m.restoration.Changes = append(m.restoration.Changes, c)
	}
	return nil
}

// compare checks the journal, and that it is the backup's, goes beyond it, and has
// everything that came after it.
func (m *metadataRestore) compare(h archive.Header) error {
	hash, err := hex.DecodeString(h.HeadHash)
	if err != nil || len(hash) != len(journal.Hash{}) {
		return fmt.Errorf("%w: %.80q in its header is no hash", archive.ErrCorrupt, h.HeadHash)
	}
	m.now, err = audit.Verify(m.journalDir, audit.Pin{Seq: h.HeadSequence, Hash: journal.Hash(hash), Source: "the backup"})
	var differs *audit.PinError
	if bad := (*journal.Corruption)(nil); err != nil && (errors.As(err, &bad) || !errors.As(err, &differs)) {
		return fmt.Errorf("the audit journal in %s is not good, so that nothing can be compared with it: %w", m.journalDir, err)
	}
	switch now := m.now; {
	case h.Journal != now.Journal.String() || h.HeadSequence > now.Last:
		return fmt.Errorf("the backup ends at record %d of journal %s, and this is journal %v up to record %d: it is another journal, or older than the backup",
			h.HeadSequence, h.Journal, now.Journal, now.Last)
	case h.HeadSequence < now.Removed:
		return fmt.Errorf("the backup ends at record %d, and retention has removed the journal's records up to %d: what was changed in between is not known; use a later backup, or restore journal and metadata into another directory",
			h.HeadSequence, now.Removed)
	case differs != nil:
		return fmt.Errorf("the journal in %s was exchanged or altered: %w", m.journalDir, differs)
	case now.PinsChecked == 0:
		return fmt.Errorf("the journal in %s begins right after the backup, and nothing tells that it is the same: use a later backup", m.journalDir)
	}
	return nil
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

// printChanges lists the changes that the journal has after the backup.
func printChanges(w io.Writer, changes []audit.Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "The journal has no change after the backup: the metadata is as it was.")
		return err
	}
	var rows [][]string
	for _, c := range changes {
		rows = append(rows, []string{c.Time.UTC().Format(time.RFC3339), c.EventName, cmp.Or(c.KeyARN, c.ResourceARN), c.RequestID, outcomeOf(c)})
	}
	fmt.Fprintf(w, "\nThe metadata lacks what was done after the backup, %s:\n\n", present.Count(len(rows), "change", "changes"))
	return present.Table(w, []string{"TIME", "CHANGE", "OF", "REQUEST ID", "RESULT"}, rows)
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
