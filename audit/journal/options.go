package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// Options says where a journal is and how it is written.
type Options struct {
	// Dir is the journal's directory. It is made if missing.
	Dir string
	// SegmentSize is the size of a segment file in bytes, from 8 KiB to 1 GiB;
	// 0 means 16 MiB. One Append takes at most half of it, and 4 MiB.
	SegmentSize int64
	// FirstSegmentSize is the size of the segment that Open itself makes, so
	// that starting is fast; 0 means 1 MiB. It is at most SegmentSize. A large
	// checkpoint makes the segment larger.
	FirstSegmentSize int64
	// Logger receives faults and recoveries. It may be nil.
	Logger hclog.Logger
	// State is a fold over the records, restored by Open. It may be nil.
	State State
	// Accept, if not nil, is shown what Open found, the State being restored,
	// before anything is written. Its error is Open's.
	Accept func(Recovery) error

	now       func() time.Time
	newID     func() ID
	open      openFunc
	syncDir   func(dir string) error
	remove    func(path string) error
	retry     time.Duration // first pause between attempts after a fault
	stall     time.Duration // a write that takes longer makes the journal unhealthy
	maxQueued int           // bytes that wait for the writer
}

// State is something computed from all records in order, e.g. a counter. The
// journal keeps it in step with what is durable: it is shown each record once,
// after it is durable and before its Append returns, and each segment begins
// with the entries that Checkpoint returns. So Open needs only the newest
// segment to restore it.
//
// Its methods are called by one goroutine at a time, and delay all callers of
// Append. They must not call the Journal.
type State interface {
	// Observe takes in a record, those that Checkpoint made included. The
	// record's body is only valid during the call. An error says that the
	// record cannot follow the ones before it: Open then fails with a
	// *Corruption, and an open Journal takes no more entries, because a
	// checkpoint of such a state would hide the error.
	Observe(Record) error
	// Checkpoint returns entries that bring a new State to this one's value.
	// Together they take no more than a batch, see Options.SegmentSize.
	Checkpoint() ([]Entry, error)
}

// file is what a segment is written through.
type file interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

type openFunc func(path string, flag int, perm os.FileMode) (file, error)

func openFile(path string, flag int, perm os.FileMode) (file, error) {
	return os.OpenFile(path, flag, perm)
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("journal directory is not named")
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = 16 << 20
	}
	if o.SegmentSize < minSegmentSize || o.SegmentSize > maxSegmentSize {
		return o, fmt.Errorf("journal segment size %d is not within %d and %d", o.SegmentSize, minSegmentSize, maxSegmentSize)
	}
	if o.FirstSegmentSize == 0 {
		o.FirstSegmentSize = 1 << 20
	}
	o.SegmentSize = roundUp(o.SegmentSize)
	o.FirstSegmentSize = roundUp(min(max(o.FirstSegmentSize, minSegmentSize), o.SegmentSize))
	return o.withSeams(), nil
}

func (o Options) withSeams() Options {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.newID == nil {
		o.newID = randomID
	}
	if o.open == nil {
		o.open = openFile
	}
	if o.syncDir == nil {
		o.syncDir = durable.SyncDir
	}
	if o.remove == nil {
		o.remove = os.Remove
	}
	if o.retry == 0 {
		o.retry = 500 * time.Millisecond
	}
	if o.stall == 0 {
		o.stall = 5 * time.Second
	}
	if o.maxQueued == 0 {
		o.maxQueued = 64 << 20
	}
	return o
}

func randomID() (id ID) {
	rand.Read(id[:]) // never fails
	return id
}

// maxBatch returns how many bytes a batch may have, so that a checkpoint and
// a batch fit into any segment of full size.
func (o Options) maxBatch() int {
	return int(min(o.SegmentSize/2-headerSize-2*sectorSize, maxBatchSize))
}

// maxRetry is the longest pause between attempts after a fault: an attempt costs
// a disk that is in trouble up to a segment of writes.
func (o Options) maxRetry() time.Duration { return 20 * o.retry }

// firstSize returns the size of the segment that Open makes: a checkpoint of so
// many bytes fills no more than half of it, unless that is more than a segment.
func (o Options) firstSize(checkpoint int) int64 {
	return min(max(o.FirstSegmentSize, roundUp(2*int64(checkpoint))), o.SegmentSize)
}
