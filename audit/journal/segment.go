package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentSuffix  = ".journal"
	preparedSuffix = ".prepared"
)

// segmentPath names the file of a segment so that names sort as numbers do.
func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", number, segmentSuffix))
}

// listSegments returns the numbers of the segment files in dir, in order. While one
// reads a directory, names may come and go: a gap counts if it is there twice.
func listSegments(dir string) ([]uint64, error) {
	var before []uint64
	for {
		numbers, err := segmentNumbers(dir)
		if err != nil {
			return nil, err
		}
		gap := checkNumbers(numbers)
		if gap == nil || slices.Equal(numbers, before) {
			return numbers, gap
		}
		before = numbers
	}
}

func segmentNumbers(dir string) ([]uint64, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the journal's segments: %w", err)
	}
	var numbers []uint64
	for _, d := range names {
		digits, ok := strings.CutSuffix(d.Name(), segmentSuffix)
		if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// checkNumbers wants numbers without gaps, from 1 or, if the journal was trimmed,
// from a later one.
func checkNumbers(numbers []uint64) error {
	for i, n := range numbers {
		if want := max(numbers[0], 1) + uint64(i); n != want {
			return &Corruption{Segment: want, Reason: "segment is missing"}
		}
	}
	return nil
}

// removePrepared removes the segment files that were never used.
func removePrepared(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing unused segments: %w", err)
	}
	for _, d := range names {
		if !strings.HasSuffix(d.Name(), preparedSuffix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, d.Name())); err != nil {
			return fmt.Errorf("removing an unused segment: %w", err)
		}
	}
	return nil
}

// opened is a segment file open for reading, with its header.
type opened struct {
	*os.File
	header segmentHeader
	start  Hash  // the chain after the header
	length int64 // of the file when it was opened
}

// openSegment opens a segment file. A bad header is a *Corruption.
func openSegment(dir string, number uint64) (*opened, error) {
	f, err := os.Open(segmentPath(dir, number))
	if err != nil {
		return nil, fmt.Errorf("opening journal segment %d: %w", number, err)
	}
	s, err := readHeader(f, number)
	if err != nil {
		_ = f.Close() // only read
		return nil, err
	}
	return s, nil
}

// release closes the file. It was only read, so nothing can be lost.
func (s *opened) release() { _ = s.Close() }

func readHeader(f *os.File, number uint64) (*opened, error) {
	b := make([]byte, headerSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading journal segment %d: %w", number, err)
	}
	h, start, err := decodeHeader(b[:n])
	if err != nil {
		return nil, &Corruption{Segment: number, Reason: err.Error()}
	}
	if h.number != number {
		return nil, &Corruption{Segment: number, Reason: fmt.Sprintf("file holds segment %d", h.number)}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading journal segment %d: %w", number, err)
	}
	return &opened{File: f, header: h, start: start, length: info.Size()}, nil
}
