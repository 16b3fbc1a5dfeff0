package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// ErrCorrupt says that a file is no backup, or is damaged, cut short or of a
// format version that is not known.
var ErrCorrupt = errors.New("backup is not good")

// FormatVersion is that of the files that Writer writes. A Reader reads those before it
// too: those of firstVersion had one Region, and up to wholeVersion all journals began
// with segment 1.
const (
	FormatVersion = 3
	wholeVersion  = 2
	firstVersion  = 1
)

// prelude begins every backup: 8 bytes that occur in no text, and the version.
const (
	magic       = "\xffSRBKUP\xfe"
	preludeSize = len(magic) + 4
)

// Types of sections.
const (
	typeHeader  byte = 1
	typeEntries byte = 2
	typeSegment byte = 3
	typeData    byte = 4
	typeTrailer byte = 5
)

// Sizes of the format, in bytes.
const (
	frameSize = 5 // in front of a section's body: length and type
	sumSize   = 4 // behind it: CRC-32C
	// maxBody bounds a section's body: an entry of the largest size has room.
	maxBody = 1 << 20
	// fullBody is from where on Writer begins another section.
	fullBody = 128 << 10

	entryOverhead   = 2 + 8 + 4
	segmentBodySize = 8 + 8
	trailerBodySize = 3*8 + sha256.Size
)

// servicePattern is what the version of a program looks like.
var servicePattern = regexp.MustCompile(`^[0-9A-Za-z.+()-]{1,128}$`)

// maxRegions bounds a header.
const maxRegions = 256

// maxRevision leaves a restored store revisions to go on with.
const maxRevision = math.MaxInt64

// Header says what a backup is of.
type Header struct {
	// Service is the version of the program that made the backup: at most 128
	// letters, digits and .+-().
	Service string `json:"service"`
	// Created is when, in UTC.
	Created time.Time `json:"created"`
	// Account and Regions are the service's: at least one Region, at most 256, the
	// default one first.
	Account string   `json:"account"`
	Regions []string `json:"regions"`
	// Revision is that of the metadata store, below 2^63. No entry is beyond it.
	Revision uint64 `json:"revision"`
	// Journal is the id of the audit journal, in hexadecimal.
	Journal string `json:"journal"`
	// HeadSequence and HeadHash, in hexadecimal, are the journal's newest record
	// and the value of its hash chain.
	HeadSequence uint64 `json:"headSequence"`
	HeadHash     string `json:"headHash"`
}

// Totals count what a backup holds.
type Totals struct {
	// Entries is how many metadata entries, Segments how many journal segments,
	// and JournalBytes how many bytes these have together.
	Entries, Segments, JournalBytes uint64
}

// Segment says which segment of the journal follows.
type Segment struct {
	// Number goes up without gaps, from 1 or, if the journal was trimmed, from a later
	// number; Length is in bytes.
	Number uint64
	Length int64
}

// follows says whether a segment can come after so many others, of which last is the number
// of the last one.
func (s Segment) follows(others, last uint64) bool {
	if others == 0 {
		return s.Number > 0 && s.Length >= 0
	}
	return s.Number == last+1 && s.Length >= 0
}

func (h Header) encode() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	h.Created = h.Created.UTC()
	return json.Marshal(h)
}

func (h Header) check() error {
	if n := len(h.Regions); n == 0 || n > maxRegions {
		return fmt.Errorf("the header names %d Regions, not 1 to %d", n, maxRegions)
	}
	for _, region := range h.Regions {
		if err := metadata.CheckPrefix(h.Account + "/" + region + "/"); err != nil {
			return fmt.Errorf("the header names no account and Region: %w", err)
		}
	}
	if !servicePattern.MatchString(h.Service) {
		return fmt.Errorf("%.64q in the header is no version of a program", h.Service)
	}
	if h.Revision > maxRevision {
		return fmt.Errorf("the header has revision %d, beyond %d", h.Revision, uint64(maxRevision))
	}
	return nil
}

// prefix is what the keys of all entries begin with.
func (h Header) prefix() string { return h.Account + "/" }

func appendEntry(body []byte, e metadata.Entry) []byte {
	body = binary.BigEndian.AppendUint16(body, uint16(len(e.Key)))
	body = append(body, e.Key...)
	body = binary.BigEndian.AppendUint64(body, e.Revision)
	body = binary.BigEndian.AppendUint32(body, uint32(len(e.Value)))
	return append(body, e.Value...)
}

// decodeEntry takes the first entry off a body.
func decodeEntry(body []byte) (e metadata.Entry, rest []byte, err error) {
	short := fmt.Errorf("%w: an entry is longer than its section", ErrCorrupt)
	if len(body) < 2 {
		return e, nil, short
	}
	key, body := int(binary.BigEndian.Uint16(body)), body[2:]
	if len(body) < key+12 {
		return e, nil, short
	}
	e.Key, e.Revision = string(body[:key]), binary.BigEndian.Uint64(body[key:])
	value, body := binary.BigEndian.Uint32(body[key+8:]), body[key+12:]
	if uint64(len(body)) < uint64(value) {
		return e, nil, short
	}
	e.Value = append([]byte{}, body[:value]...)
	return e, body[value:], nil
}

func appendTotals(body []byte, t Totals) []byte {
	body = binary.BigEndian.AppendUint64(body, t.Entries)
	body = binary.BigEndian.AppendUint64(body, t.Segments)
	return binary.BigEndian.AppendUint64(body, t.JournalBytes)
}

func checksum(frame, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(frame, table), table, body)
}
