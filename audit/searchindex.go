package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/index"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// indexes is the indexes of the journal's segments: of the newest one in memory, of the
// others in files. Searches use them, and one goroutine makes them; where it has not come to a
// segment yet, the search makes its index.
type indexes struct {
	journal *journal.Journal
	dir     string
	log     hclog.Logger
	cancel  context.CancelFunc
	wake    chan struct{}
	done    chan struct{}

	catching sync.Mutex // held while records are taken into the growing index
	closed   bool       // under catching
	making   sync.Mutex // held while the index of a whole segment is made

	mu      sync.Mutex
	growing *growing                  // of the newest segment; nil before the first use
	made    map[uint64]*index.Builder // of segments that have no file yet
	files   map[uint64]index.Info     // of segments whose file is known to be theirs
	useless map[uint64]bool           // segments whose file is to be written anew
}

// growing is the index of the segment that is being written.
type growing struct {
	number  uint64
	reader  *journal.SegmentReader // under catching
	builder *index.Builder
}

func newIndexes(j *journal.Journal, dir string, log hclog.Logger) *indexes {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return &indexes{
		journal: j, dir: dir, log: log, wake: make(chan struct{}, 1), done: make(chan struct{}),
		made: make(map[uint64]*index.Builder), files: make(map[uint64]index.Info), useless: make(map[uint64]bool),
	}
}

// catchUp takes the durable records that have come since into the index of the newest
// segment.
func (x *indexes) catchUp() error {
	x.catching.Lock()
	defer x.catching.Unlock()
	if x.closed {
		return journal.ErrClosed
	}
	segments := x.journal.Segments()
	newest := segments[len(segments)-1]
	err := x.complete(segments)
	if err == nil && x.growing == nil {
		err = x.begin(newest)
	}
	if err == nil {
		err = x.growing.take(newest)
	}
	if err != nil {
		x.abandon() // it may have taken a part of a batch
		return fmt.Errorf("indexing journal segment %d: %w", newest.Number, err)
	}
	return nil
}

// complete ends the growing index if its segment is not the newest one any more.
func (x *indexes) complete(segments []journal.Segment) error {
	oldest, newest := segments[0].Number, segments[len(segments)-1].Number
	if x.growing == nil || x.growing.number == newest {
		return nil
	}
	g := x.growing
	defer x.abandon()
	if g.number < oldest {
		return nil
	}
	if err := g.take(segments[g.number-oldest]); err != nil {
		return err
	}
	g.builder.Finish(g.reader.Head())
	x.keep(g.builder)
	return nil
}

func (x *indexes) begin(s journal.Segment) error {
	reader, err := x.journal.OpenSegment(s.Number)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.growing = &growing{number: s.Number, reader: reader, builder: index.NewBuilder(x.journal.ID(), s.Number, s.First)}
	return nil
}

// abandon forgets the growing index. x.catching is held.
func (x *indexes) abandon() {
	if x.growing == nil {
		return
	}
	x.growing.reader.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.growing = nil
}

// take takes in what the segment has more.
func (g *growing) take(s journal.Segment) error {
	return g.reader.Walk(s.Bytes, into(g.builder))
}

func into(b *index.Builder) func(journal.Record, int64) error {
	return func(r journal.Record, offset int64) error {
		return b.Add(r.Seq, offset, index.Kind(r.Kind), r.Time, r.Body)
	}
}

// keep keeps a complete index until it has a file. Of those that cannot be written only a few are
// kept: the others are made again when they are needed.
func (x *indexes) keep(b *index.Builder) {
	x.mu.Lock()
	for number := range x.made {
		if len(x.made) < maxUnfiled {
			break
		}
		delete(x.made, number)
	}
	x.made[b.Info().Segment] = b
	x.mu.Unlock()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// open returns the index of a segment, nil if it has nothing that a query could find, and whether it
// had to be made. It is to be closed.
func (x *indexes) open(ctx context.Context, s journal.Segment, q index.Query) (ix index.Index, made bool, err error) {
	ix, known := x.inMemory(s.Number)
	switch {
	case ix != nil:
		return ix, false, nil
	case known != nil && !known.Between(q.Kind, q.From, q.To):
		return nil, false, nil
	}
	if f := x.openFile(s); f != nil {
		return f, false, nil
	}
	b, _, err := x.make(ctx, s)
	if err != nil {
		return nil, true, err
	}
	return b, true, nil
}

func closeIndex(ix index.Index) {
	if f, ok := ix.(*index.File); ok {
		f.Close()
	}
}

// inMemory returns the index of a segment that is in memory, or what is known of its file.
func (x *indexes) inMemory(number uint64) (index.Index, *index.Info) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.growing != nil && x.growing.number == number {
		return x.growing.builder, nil
	}
	if b, ok := x.made[number]; ok {
		return b, nil
	}
	if info, ok := x.files[number]; ok {
		return nil, &info
	}
	return nil, nil
}

// openFile opens the index file of a complete segment, or returns nil if there is
// none of this segment.
func (x *indexes) openFile(s journal.Segment) *index.File {
	x.mu.Lock()
	useless := x.useless[s.Number]
	x.mu.Unlock()
	if useless {
		return nil
	}
	f, err := index.Open(x.dir, s.Number)
	if err == nil {
		if err = x.check(s.Number, f.Info()); err == nil {
			return f
		}
		f.Close()
	}
	x.drop(s.Number, err)
	return nil
}

// check says why an index is not that of the segment as the journal has it.
func (x *indexes) check(number uint64, info index.Info) error {
	x.mu.Lock()
	known, ok := x.files[number]
	x.mu.Unlock()
	if !ok {
		var err error
		if known, err = x.whole(number); err != nil {
			return err
		}
	}
	if !sameSegment(info, known) {
		return errors.New("it is of another journal, or of another state of this one")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files[number] = info
	return nil
}

// whole returns what the header of the next segment says of a segment.
func (x *indexes) whole(number uint64) (index.Info, error) {
	next, err := x.journal.OpenSegment(number + 1)
	if err != nil {
		return index.Info{}, err
	}
	defer next.Close()
	known := index.Info{Journal: x.journal.ID()}
	known.End, known.Chain = next.Before()
	return known, nil
}

// sameSegment says whether two indexes are of the same records.
func sameSegment(a, b index.Info) bool {
	return a.Journal == b.Journal && a.End == b.End && a.Chain == b.Chain
}

// drop forgets the file of an index, which is to be made again.
func (x *indexes) drop(number uint64, why error) {
	x.mu.Lock()
	_, known := x.files[number]
	delete(x.files, number)
	x.useless[number] = true
	x.mu.Unlock()
	gone := number < x.journal.Segments()[0].Number
	if !gone && (known || !errors.Is(why, fs.ErrNotExist)) {
		x.log.Warn("an index of the audit trails cannot be used and is made again", "segment", number, "error", why)
	}
}

// make makes the index of a segment up to where it is said to end, and keeps it if that is all of the segment, as
// the next one's header has it: the segment may have got more since.
func (x *indexes) make(ctx context.Context, s journal.Segment) (b *index.Builder, whole bool, err error) {
	x.making.Lock()
	defer x.making.Unlock()
	x.mu.Lock()
	b, ok := x.made[s.Number]
	x.mu.Unlock()
	if ok {
		return b, true, nil
	}
	if b, err = x.build(ctx, s); err != nil {
		return nil, false, err
	}
	if known, err := x.whole(s.Number); err != nil || !sameSegment(b.Info(), known) {
		return b, false, nil // good for who asks now
	}
	x.keep(b)
	return b, true, nil
}

func (x *indexes) build(ctx context.Context, s journal.Segment) (*index.Builder, error) {
	reader, err := x.journal.OpenSegment(s.Number)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	b := index.NewBuilder(x.journal.ID(), s.Number, s.First)
	add := into(b)
	err = reader.Walk(s.Bytes, func(r journal.Record, offset int64) error {
		return errors.Join(ctx.Err(), add(r, offset))
	})
	if err != nil {
		return nil, err
	}
	b.Finish(reader.Head())
	return b, nil
}

// removed says whether a segment is not a part of the journal any more.
func (x *indexes) removed(s journal.Segment) bool {
	return s.Number < x.journal.Segments()[0].Number
}

// lag returns how many durable records are in no index.
func (x *indexes) lag() uint64 {
	segments, head := x.journal.Segments(), x.journal.Head().Seq
	x.mu.Lock()
	defer x.mu.Unlock()
	var n uint64
	for i, s := range segments {
		next := head + 1
		if i+1 < len(segments) {
			next = segments[i+1].First
		}
		_, made := x.made[s.Number]
		_, filed := x.files[s.Number]
		switch {
		case made || filed:
		case x.growing != nil && x.growing.number == s.Number:
			n += next - min(next, s.First+uint64(x.growing.builder.Info().Records))
		default:
			n += next - s.First
		}
	}
	return n
}
