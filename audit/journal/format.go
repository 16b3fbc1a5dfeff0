package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Sizes of the format, in bytes.
const (
	sectorSize     = 512
	headerSize     = sectorSize
	formatVersion  = 1
	headerHashed   = 104 // what the header's own hash covers
	headerUsed     = headerHashed + sha256.Size
	maxBatchSize   = 4 << 20
	minSegmentSize = 8 << 10
	maxSegmentSize = 1 << 30
)

const segmentMagic = "SRJOURNL"

// Hash is a value of the hash chain: a SHA-256.
type Hash [sha256.Size]byte

// String returns h in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ID tells journals apart. It is random and stands in every segment.
type ID [16]byte

// String returns id in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// segmentHeader is the first sector of a segment file.
type segmentHeader struct {
	journal ID
	number  uint64    // of this segment, from 1
	first   uint64    // sequence number of the first record that goes here
	size    int64     // of the file while it is not sealed, zero fill included
	prevEnd int64     // where the previous segment's batches end; 0 in segment 1
	created time.Time // microseconds
	prev    Hash      // the chain before this header; zero in segment 1
}

// encode returns the header's sector and the chain's value after it.
func (h segmentHeader) encode() ([]byte, Hash) {
	b := make([]byte, headerSize)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	copy(b[16:], h.journal[:])
	binary.LittleEndian.PutUint64(b[32:], h.number)
	binary.LittleEndian.PutUint64(b[40:], h.first)
	binary.LittleEndian.PutUint64(b[48:], uint64(h.size))
	binary.LittleEndian.PutUint64(b[56:], uint64(h.prevEnd))
	binary.LittleEndian.PutUint64(b[64:], uint64(h.created.UnixMicro()))
	copy(b[72:], h.prev[:])
	sum := Hash(sha256.Sum256(b[:headerHashed]))
	copy(b[headerHashed:], sum[:])
	return b, sum
}

// decodeHeader parses the first sector of a segment file.
func decodeHeader(b []byte) (segmentHeader, Hash, error) {
	if len(b) != headerSize {
		return segmentHeader{}, Hash{}, errors.New("segment header is cut short")
	}
	if string(b[:8]) != segmentMagic {
		return segmentHeader{}, Hash{}, errors.New("not a journal segment")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return segmentHeader{}, Hash{}, fmt.Errorf("format version %d is not known", v)
	}
	sum := Hash(sha256.Sum256(b[:headerHashed]))
	if sum != Hash(b[headerHashed:headerUsed]) {
		return segmentHeader{}, Hash{}, errors.New("segment header does not match its hash")
	}
	if !allZero(b[12:16]) || !allZero(b[headerUsed:]) {
		return segmentHeader{}, Hash{}, errors.New("reserved bytes of the segment header are not zero")
	}
	h := segmentHeader{
		journal: ID(b[16:32]),
		number:  binary.LittleEndian.Uint64(b[32:]),
		first:   binary.LittleEndian.Uint64(b[40:]),
		size:    int64(binary.LittleEndian.Uint64(b[48:])),
		prevEnd: int64(binary.LittleEndian.Uint64(b[56:])),
		created: microTime(b[64:]),
		prev:    Hash(b[72:104]),
	}
	return h, sum, nil
}

func microTime(b []byte) time.Time {
	return time.UnixMicro(int64(binary.LittleEndian.Uint64(b))).UTC()
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// roundUp returns n rounded up to whole sectors.
func roundUp(n int64) int64 { return (n + sectorSize - 1) / sectorSize * sectorSize }
