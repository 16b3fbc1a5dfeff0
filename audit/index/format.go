package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"
)

// Sizes of the format, in bytes but for recordsInBlock.
const (
	magic          = "SRAINDEX"
	version        = 1
	headerSize     = 160
	checkSize      = 4
	locationSize   = 16
	recordsInBlock = 256
	termSize       = 16
	listHeaderSize = 8
	// termsInBucket is how many terms a bucket is to have about.
	termsInBucket = 64
	maxBucketBits = 24
)

// ErrDamaged says that a file is no index, or not one that can be read: it is to be
// made again.
var ErrDamaged = errors.New("index is damaged")

// header is the beginning of a file.
type header struct {
	Info
	bits     uint32 // the terms are in 1<<bits buckets
	terms    uint32
	postings int64 // bytes of the lists
}

// layout is where the sections of a file begin, and where it ends.
type layout struct{ records, directory, terms, postings, end int64 }

func (h *header) layout() layout {
	blocks := (int64(h.Records) + recordsInBlock - 1) / recordsInBlock
	l := layout{records: headerSize}
	l.directory = l.records + int64(h.Records)*locationSize + blocks*checkSize
	l.terms = l.directory + (1<<h.bits+1)*4 + checkSize
	l.postings = l.terms + int64(h.terms)*termSize + checkSize<<h.bits
	l.end = l.postings + h.postings
	return l
}

func (h *header) encode() []byte {
	b := make([]byte, 16, headerSize)
	copy(b, magic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], version)
	b = append(b, h.Journal[:]...)
	b = le.AppendUint64(b, h.Segment)
	b = le.AppendUint64(b, uint64(h.End))
	b = append(b, h.Chain[:]...)
	b = le.AppendUint64(b, h.First)
	b = le.AppendUint32(b, h.Records)
	b = le.AppendUint32(b, h.bits)
	b = le.AppendUint32(b, h.terms)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, uint64(h.postings))
	for _, at := range []time.Time{h.Events.From, h.Events.To, h.Entries.From, h.Entries.To} {
		b = le.AppendUint64(b, uint64(at.UnixMicro()))
	}
	b = b[:headerSize]
	le.PutUint32(b[12:], checksum(b[16:]))
	return b
}

func decodeHeader(b []byte) (*header, error) {
	le := binary.LittleEndian
	if len(b) != headerSize || string(b[:8]) != magic || le.Uint32(b[8:]) != version || le.Uint32(b[12:]) != checksum(b[16:]) {
		return nil, ErrDamaged
	}
	micros := func(at int) time.Time { return time.UnixMicro(int64(le.Uint64(b[at:]))).UTC() }
	h := &header{
		Info: Info{
			Journal: [16]byte(b[16:]), Segment: le.Uint64(b[32:]), End: int64(le.Uint64(b[40:])), Chain: [32]byte(b[48:]),
			First: le.Uint64(b[80:]), Records: le.Uint32(b[88:]),
			Events: Span{micros(112), micros(120)}, Entries: Span{micros(128), micros(136)},
		},
		bits: le.Uint32(b[92:]), terms: le.Uint32(b[96:]), postings: int64(le.Uint64(b[104:])),
	}
	if h.bits > maxBucketBits || h.postings < 0 || h.postings > math.MaxUint32 {
		return nil, ErrDamaged
	}
	return h, nil
}

// bucketOf returns the bucket of a hash: its upper bits.
func bucketOf(hash uint64, bits uint32) uint32 { return uint32(hash >> 32 >> (32 - bits)) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// appendCheck appends the checksum of what was appended since start.
func appendCheck(b []byte, start int) []byte {
	return binary.LittleEndian.AppendUint32(b, checksum(b[start:]))
}

// checked returns b without the checksum at its end.
func checked(b []byte) ([]byte, error) {
	n := len(b) - checkSize
	if n < 0 || binary.LittleEndian.Uint32(b[n:]) != checksum(b[:n]) {
		return nil, ErrDamaged
	}
	return b[:n], nil
}
