package index

import (
	"fmt"
	"sync"
	"time"
)

// Info says what an index is of.
type Info struct {
	// Journal is the journal's id, Segment the segment's number.
	Journal [16]byte
	Segment uint64
	// End is where the segment's batches end and Chain the journal's chain there: an index of
	// a segment with other records, of a journal that went another way, differs in them.
	End   int64
	Chain [32]byte
	// First is the number of the segment's first record, Records how many it has.
	First   uint64
	Records uint32
	// Events and Entries are from when to when the records of each kind are.
	Events, Entries Span
}

// Span is from the earliest to the latest of some times, both included. It is empty
// if To is before From.
type Span struct{ From, To time.Time }

// span returns the span of the records of a kind.
func (i *Info) span(kind Kind) *Span {
	if kind == Entry {
		return &i.Entries
	}
	return &i.Events
}

// Between says whether the segment may have records of a kind that are not before from and
// before to, where zero is no bound.
func (i *Info) Between(kind Kind, from, to time.Time) bool {
	s := i.span(kind)
	return !s.To.Before(s.From) && (from.IsZero() || !s.To.Before(from)) && (to.IsZero() || s.From.Before(to))
}

// emptySpan is what any time extends.
func emptySpan() Span { return Span{From: time.Unix(1<<33, 0).UTC(), To: time.Unix(-1<<33, 0).UTC()} }

func (s *Span) extend(at time.Time) {
	if at.Before(s.From) {
		s.From = at
	}
	if at.After(s.To) {
		s.To = at
	}
}

// location is what an index knows of a record.
type location struct {
	offset uint32 // in the segment's file
	kind   Kind
	micros int64 // since 1970
}

// posting is the records that have a term, by their place in the segment.
type posting struct {
	first uint32
	more  []uint32
}

// Builder makes an index. Its methods may be called from many goroutines.
type Builder struct {
	mu      sync.Mutex
	info    Info
	records []location
	terms   map[uint64]posting
}

// NewBuilder returns the index of a segment that has no records so far; first is the number
// of the first one.
func NewBuilder(journal [16]byte, segment, first uint64) *Builder {
	return &Builder{
		info:  Info{Journal: journal, Segment: segment, First: first, Events: emptySpan(), Entries: emptySpan()},
		terms: make(map[uint64]posting),
	}
}

// Add takes in the segment's next record: its number, where it begins in the segment's file, what
// it is, and when it was written, which is its time if it has none itself.
func (b *Builder) Add(seq uint64, offset int64, kind Kind, written time.Time, record []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if next := b.info.First + uint64(b.info.Records); seq != next || offset>>32 != 0 {
		return fmt.Errorf("record %d at %d cannot be indexed after %d others from %d on", seq, offset, b.info.Records, b.info.First)
	}
	at := Read(kind, record, func(f Field, value []byte) { b.add(hashOf(f, value)) })
	if at.IsZero() {
		at = written
	}
	if kind == Event || kind == Entry {
		b.info.span(kind).extend(at)
	}
	b.records = append(b.records, location{offset: uint32(offset), kind: kind, micros: at.UnixMicro()})
	b.info.Records++
	return nil
}

// add notes that the record that is being taken in has a term.
func (b *Builder) add(hash uint64) {
	record := b.info.Records
	p, ok := b.terms[hash]
	switch {
	case !ok:
		b.terms[hash] = posting{first: record}
	case p.last() != record:
		p.more = append(p.more, record)
		b.terms[hash] = p
	}
}

func (p posting) last() uint32 {
	if len(p.more) > 0 {
		return p.more[len(p.more)-1]
	}
	return p.first
}

// Finish says where the segment ends, once it has got its last record.
func (b *Builder) Finish(end int64, chain [32]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.info.End, b.info.Chain = end, chain
}

// Info returns what the index is of so far.
func (b *Builder) Info() Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.info
}

func (b *Builder) postings(hash uint64) ([]uint32, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.terms[hash]
	if !ok {
		return nil, nil
	}
	return append([]uint32{p.first}, p.more...), nil
}

func (b *Builder) location(i uint32) (location, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[i], nil
}
