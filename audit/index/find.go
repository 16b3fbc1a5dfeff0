package index

import (
	"iter"
	"slices"
	"time"
)

// Index is an index of one segment: a Builder or a File.
type Index interface {
	// Info returns what it is of.
	Info() Info
	// postings returns the records that have a term, ascending; nil if none has.
	postings(hash uint64) ([]uint32, error)
	// location returns what is known of a record.
	location(i uint32) (location, error)
}

// Query says which records are looked for.
type Query struct {
	// Kind is theirs.
	Kind Kind
	// From and To bound their times: not before From, before To. Zero is no bound.
	From, To time.Time
	// Terms are the terms that all of them have.
	Terms []Term
	// Above and Below bound their numbers, both excluded. Below 0 is no bound.
	Above, Below uint64
	// Newest asks for the highest number first.
	Newest bool
}

// Hit is a record that may be one of those looked for.
type Hit struct {
	// Seq is its number, Offset where it begins in the segment's file.
	Seq    uint64
	Offset int64
}

// Find yields the records that may match: all that do, and those that only look so
// because their terms have the same hash. An error is yielded last; of a File it may be
// ErrDamaged.
func Find(ix Index, q Query) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		info := ix.Info()
		if !info.Between(q.Kind, q.From, q.To) {
			return
		}
		among, err := candidates(ix, q.Terms, info)
		if err != nil {
			yield(Hit{}, err)
			return
		}
		for i := range among.within(q, info.First) {
			l, err := ix.location(i)
			if err == nil && !l.matches(q) {
				continue
			}
			if !yield(Hit{Seq: info.First + uint64(i), Offset: int64(l.offset)}, err) || err != nil {
				return
			}
		}
	}
}

// matches compares times and not microseconds: a query may begin in a year whose
// microseconds no int64 holds.
func (l location) matches(q Query) bool {
	at := time.UnixMicro(l.micros)
	return l.kind == q.Kind &&
		(q.From.IsZero() || !at.Before(q.From.Truncate(time.Microsecond))) && (q.To.IsZero() || at.Before(q.To))
}

// set is some of a segment's records: those listed or, without a list, the first so many.
type set struct {
	list  []uint32
	count int
}

func (s set) at(i int) uint32 {
	if s.list == nil {
		return uint32(i)
	}
	return s.list[i]
}

// few is how many candidates are rather read than looked up under one more term.
const few = 4

// candidates returns the records that have all the terms.
func candidates(ix Index, terms []Term, info Info) (set, error) {
	if len(terms) == 0 {
		return set{count: int(info.Records)}, nil
	}
	var both []uint32
	for i, t := range terms {
		list, err := ix.postings(t.Hash())
		if err != nil || len(list) == 0 {
			return set{}, err
		}
		if i == 0 {
			both = list
		} else {
			both = intersect(both, list)
		}
		if len(both) <= few {
			break
		}
	}
	return set{list: both, count: len(both)}, nil
}

// intersect returns what is in both ascending lists; it reuses the first one.
func intersect(a, b []uint32) []uint32 {
	both := a[:0]
	for _, x := range a {
		for len(b) > 0 && b[0] < x {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == x {
			both = append(both, x)
		}
	}
	return both
}

// within yields those of the set whose numbers are within the query's bounds, in the
// query's order.
func (s set) within(q Query, first uint64) iter.Seq[uint32] {
	low := s.search(first, q.Above+1)
	high := s.count
	if q.Below > 0 {
		high = s.search(first, q.Below)
	}
	return func(yield func(uint32) bool) {
		for n := range high - low {
			i := low + n
			if q.Newest {
				i = high - 1 - n
			}
			if !yield(s.at(i)) {
				return
			}
		}
	}
}

// search returns how many of the set have a number below seq.
func (s set) search(first, seq uint64) int {
	if seq <= first {
		return 0
	}
	n := seq - first
	if s.list == nil {
		return int(min(n, uint64(s.count)))
	}
	i, _ := slices.BinarySearchFunc(s.list, n, func(x uint32, n uint64) int {
		if uint64(x) < n {
			return -1
		}
		return 1
	})
	return i
}
