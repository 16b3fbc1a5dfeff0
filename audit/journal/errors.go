package journal

import (
	"errors"
	"fmt"
	"path/filepath"
)

var (
	// ErrClosed says that Close was called.
	ErrClosed = errors.New("journal is closed")
	// ErrUnavailable says that the journal cannot be written at present. The
	// entries may or may not be found in it after a crash; they were not
	// acknowledged. Writing resumes by itself.
	ErrUnavailable = errors.New("journal is unavailable")
	// ErrTooLarge says that entries do not fit into one batch.
	ErrTooLarge = errors.New("entries are too large for the journal")
	// ErrTrimmed says that Trim removed records that a reader asked for, or
	// before it came to them. The message names the oldest one left.
	ErrTrimmed = errors.New("records were removed from the journal")
	// ErrInUse says that another process, or another Journal of this one,
	// has the directory open.
	ErrInUse = errors.New("journal is in use")
)

// Corruption is what no crash explains: bytes that were written, acknowledged
// and then altered, dropped or moved.
type Corruption struct {
	// Segment is the number of the segment file, from 1.
	Segment uint64
	// Offset is where in that file the first bad bytes are, in bytes.
	Offset int64
	// Seq is the sequence number of the first record that is bad or missing;
	// all before it are good.
	Seq uint64
	// Reason says what is wrong there.
	Reason string
}

// File is the name of the segment's file.
func (c *Corruption) File() string { return filepath.Base(segmentPath("", c.Segment)) }

// Error implements error.
func (c *Corruption) Error() string {
	return fmt.Sprintf("journal is corrupt: %s, offset %d, record %d: %s", c.File(), c.Offset, c.Seq, c.Reason)
}
