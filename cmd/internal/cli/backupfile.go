package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// backupContents is what a backup was found to hold.
type backupContents struct {
	header archive.Header
	totals archive.Totals
	keys   int
	report audit.Report
	file   fileDigest
}

// backupUse takes in a backup while it is read. Nothing of it counts before
// readBackup has returned without an error.
type backupUse struct {
	// entries takes the metadata to its end; nil: it is only counted.
	entries func(archive.Header, iter.Seq2[metadata.Entry, error]) error
	// segment returns where the bytes of a segment go beside their check; if it is nil,
	// or returns nil, nowhere. Close is called at the segment's end.
	segment func(archive.Segment) (io.WriteCloser, error)
}

// readBackup reads a backup to its end and checks all of it: every section, every
// record of the journal, and that the journal ends where the header says.
func readBackup(r io.Reader, use backupUse) (*backupContents, error) {
	c := &backupContents{file: fileDigest{Hash: sha256.New()}}
	a, err := archive.NewReader(io.TeeReader(r, &c.file))
	if err != nil {
		return nil, err
	}
	c.header = a.Header()
	if err := c.readEntries(a, use); err != nil {
		return nil, err
	}
	check := audit.NewChecker()
	if err := readSegments(a, check, use); err != nil {
		return nil, err
	}
	c.report, c.totals = check.Report(), a.Totals()
	return c, errors.Join(check.Complete(), c.checkHead())
}

func (c *backupContents) readEntries(a *archive.Reader, use backupUse) error {
	entries := func(yield func(metadata.Entry, error) bool) {
		for e, err := range a.Entries() {
			if err == nil && keystore.IsKey(e) {
				c.keys++
			}
			if !yield(e, err) {
				return
			}
		}
	}
	if use.entries != nil {
		return use.entries(c.header, entries)
	}
	for _, err := range entries {
		if err != nil {
			return err
		}
	}
	return nil
}

func readSegments(a *archive.Reader, check *audit.Checker, use backupUse) error {
	for {
		s, r, err := a.NextSegment()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && use.segment != nil {
			err = readSegmentInto(s, r, check, use)
		} else if err == nil {
			err = check.Segment(s.Number, s.Length, r)
		}
		if err != nil {
			return err
		}
	}
}

func readSegmentInto(s archive.Segment, r io.Reader, check *audit.Checker, use backupUse) error {
	w, err := use.segment(s)
	if err != nil {
		return err
	}
	if w == nil {
		return check.Segment(s.Number, s.Length, r)
	}
	return errors.Join(check.Segment(s.Number, s.Length, io.TeeReader(r, w)), w.Close())
}

// checkHead compares the journal's end with the header.
func (c *backupContents) checkHead() error {
	h, r := c.header, c.report
	if r.Journal.String() != h.Journal || r.Last != h.HeadSequence || r.Head.String() != h.HeadHash {
		return fmt.Errorf("%w: its journal %v ends at record %d, %v, and its header says journal %s, record %d, %s",
			archive.ErrCorrupt, r.Journal, r.Last, r.Head, h.Journal, h.HeadSequence, h.HeadHash)
	}
	return nil
}

// print says what a backup holds.
func (c *backupContents) print(w io.Writer, path string) error {
	h := c.header
	return present.Fields(w, []present.Field{
		{Name: "Backup", Value: fmt.Sprintf("%s, %d bytes, good", path, c.file.size)},
		{Name: "Made", Value: fmt.Sprintf("%s by strongroom %s", h.Created.Format(time.RFC3339), h.Service)},
		{Name: "Of", Value: fmt.Sprintf("account %s, Region %s", h.Account, strings.Join(h.Regions, ", "))},
		{Name: "Metadata", Value: fmt.Sprintf("%s, %s, revision %d",
			present.Count(c.keys, "key", "keys"), present.Count(c.totals.Entries, "entry", "entries"), h.Revision)},
		{Name: "Journal", Value: fmt.Sprintf("%s, %s in %s", h.Journal,
			present.Count(c.report.Records, "record", "records"), present.Count(c.totals.Segments, "segment", "segments"))},
		{Name: "Of these", Value: recordKinds(c.report)},
		{Name: "From", Value: beginningOf(c.report)},
		{Name: "Head", Value: fmt.Sprintf("record %d, %s", h.HeadSequence, h.HeadHash)},
		{Name: "SHA-256", Value: hex.EncodeToString(c.file.Sum(nil))},
	})
}

// beginningOf says with which record a journal begins.
func beginningOf(r audit.Report) string {
	if r.Removed == 0 {
		return "record 1, the first one"
	}
	return fmt.Sprintf("record %d; retention has removed those before it", r.Removed+1)
}

// fileDigest is the hash and the size, in bytes, of what was written to it.
type fileDigest struct {
	hash.Hash
	size int64
}

// Write implements io.Writer. It never fails.
func (d *fileDigest) Write(b []byte) (int, error) {
	d.size += int64(len(b))
	return d.Hash.Write(b)
}
