package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// Cut is what a journal held at one moment. It stays readable while the journal
// is written, and afterwards: only Trim takes something away.
type Cut struct {
	// Journal is the journal's id.
	Journal ID
	// Head is the newest point of the cut.
	Head Head
	// Segments are the segments up to the head, oldest first.
	Segments []SegmentCut
}

// SegmentCut is one segment of a Cut.
type SegmentCut struct {
	// Number is the segment's; there are no gaps.
	Number uint64
	// Length is how many bytes of its file belong to the cut: the header and
	// whole batches. What follows is no part of it.
	Length int64

	dir string
}

// Cut returns what is durable now.
func (j *Journal) Cut() Cut {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := Cut{Journal: j.id, Head: j.head}
	for _, e := range j.extents[:j.named] {
		c.Segments = append(c.Segments, SegmentCut{Number: e.number, Length: e.end, dir: j.dir})
	}
	return c
}

// Open returns the bytes of the cut. Reading fails with io.ErrUnexpectedEOF if
// the file has fewer, and Open with ErrTrimmed if Trim has removed it. Once open it stays
// readable.
func (s SegmentCut) Open() (io.ReadCloser, error) {
	f, err := os.Open(segmentPath(s.dir, s.Number))
	if errors.Is(err, fs.ErrNotExist) && gone(s.dir, s.Number) {
		err = trimmedIn(s.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening journal segment %d: %w", s.Number, err)
	}
	return &cutReader{File: f, left: s.Length}, nil
}

// cutReader reads the first bytes of a file.
type cutReader struct {
	*os.File
	left int64
}

// Read implements io.Reader.
func (r *cutReader) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.File.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading %s: %w", r.Name(), io.ErrUnexpectedEOF)
	}
	return n, err
}

// SegmentFile is the path of a segment of the journal in dir.
func SegmentFile(dir string, number uint64) string { return segmentPath(dir, number) }

// RestoreSegment makes a segment in dir of the bytes of a cut that are written to
// it. Close makes it durable. After the last segment comes CompleteRestore.
func RestoreSegment(dir string, number uint64) (io.WriteCloser, error) {
	f, err := os.OpenFile(segmentPath(dir, number), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("restoring journal segment %d: %w", number, err)
	}
	return restoredSegment{f}, nil
}

// restoredSegment is a file that is synced when it is closed.
type restoredSegment struct{ *os.File }

// Close implements io.Closer.
func (s restoredSegment) Close() error {
	if err := errors.Join(s.Sync(), s.File.Close()); err != nil {
		return fmt.Errorf("restoring a journal segment: %w", err)
	}
	return nil
}

// CompleteRestore gives the newest segment in dir the rest of its size in zeros, as
// it had when the cut was made, so that the journal opens as after a crash and goes
// on in a new segment. It makes the names in dir durable.
func CompleteRestore(dir string) error {
	numbers, err := listSegments(dir)
	if err == nil && len(numbers) == 0 {
		err = errors.New("it has no segment")
	}
	if err == nil {
		err = stretch(dir, numbers[len(numbers)-1])
	}
	if err == nil {
		err = durable.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("completing the restored journal in %s: %w", dir, err)
	}
	return nil
}

// stretch gives a segment the size that its header states.
func stretch(dir string, number uint64) error {
	s, err := openSegment(dir, number)
	if err != nil {
		return err
	}
	defer s.release()
	if s.header.size < s.length || s.header.size > maxSegmentSize {
		return &Corruption{Segment: number, Reason: fmt.Sprintf("file of %d bytes for a segment of %d", s.length, s.header.size)}
	}
	return truncate(segmentPath(dir, number), s.header.size)
}
