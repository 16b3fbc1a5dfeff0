package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/audit/ship"
)

const (
	// lookInterval is how often the directory is looked at.
	lookInterval = 5 * time.Second
	// lastRound bounds what Close sends.
	lastRound = 10 * time.Second
	// attemptTimeout bounds the sending of one file.
	attemptTimeout = time.Minute
)

// Options say what is sent, and where to. All but PathStyle, CA, Required and Logger are
// mandatory.
type Options struct {
	// Endpoint is the service's URL: https, or http to a loopback address.
	Endpoint string
	// Region and Bucket name the bucket, which has to exist. PathStyle puts its name into
	// the path of URLs, and not before the host's name.
	Region, Bucket string
	PathStyle      bool
	// AccessKeyFile holds the id of an access key and its secret, a line each.
	AccessKeyFile string
	// CA is a PEM file of the authorities that the service's certificate is checked
	// against; empty: those of the system.
	CA string
	// Required says that retention waits for the bucket.
	Required bool
	// Directory is where audit/export writes, Names the names that it uses.
	Directory string
	Names     cloudtrail.Names
	// Regions are those whose digests have to be in the bucket before a record counts as
	// taken.
	Regions []string
	// Journal is the id of the journal, Trail its head.
	Journal journal.ID
	Trail   interface{ Head() journal.Head }
	// Cursor is the cursor's file. Its directory is made if missing.
	Cursor string
	// Logger receives failures and recoveries. It may be nil.
	Logger hclog.Logger

	lookInterval time.Duration // 0 is the package's
}

// Sink sends files to a bucket. Its methods may be called from many goroutines.
type Sink struct {
	o        Options
	bucket   *bucket
	tree     fs.FS
	progress ship.Progress
	cursor   ship.Cursor
	began    time.Time
	sent     map[string]bool // log files in the bucket that no digest there names
	keys     []byte          // the list of keys in the bucket
	ending   chan struct{}   // closed when the last round is to be made
	cancel   context.CancelFunc
	done     chan struct{}
}

var _ ship.Sink = (*Sink)(nil)

// Open checks the options, reads the files that they name and begins to send. That the
// bucket cannot be reached is no error.
func Open(o Options) (*Sink, error) {
	b, err := newBucket(o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(o.Cursor), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the bucket's cursor: %w", err)
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.lookInterval == 0 {
		o.lookInterval = lookInterval
	}
	o.Logger = o.Logger.With("sink", "s3")
	s := &Sink{
		o: o, bucket: b, tree: os.DirFS(o.Directory), cursor: openCursor(o), sent: map[string]bool{},
		ending: make(chan struct{}), done: make(chan struct{}),
	}
	s.began = time.Now()
	s.progress.Saved(s.taken())
	s.progress.WaitsSince(s.covered())
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
	return s, nil
}

// openCursor reads the cursor. Without one everything is sent again, which overwrites
// nothing.
func openCursor(o Options) ship.Cursor {
	c, err := ship.ReadCursor(o.Cursor)
	if err == nil {
		return c
	}
	if !errors.Is(err, fs.ErrNotExist) {
		o.Logger.Warn("the bucket's cursor cannot be used: all files are sent again", "error", err)
	}
	return ship.NewCursor(o.Journal)
}

// taken is the newest record that a digest in the bucket covers, in each Region.
func (s *Sink) taken() uint64 {
	var taken []uint64
	for _, region := range s.o.Regions {
		d := s.cursor.Digests[region]
		if d.Journal != s.o.Journal.String() {
			return 0
		}
		taken = append(taken, d.Sequence)
	}
	if len(taken) == 0 {
		return 0
	}
	return slices.Min(taken)
}

// covered is up to when digests in the bucket cover the trails, in each Region; of one that
// has none it is when the sink began.
func (s *Sink) covered() time.Time {
	covered := s.began
	for _, region := range s.o.Regions {
		o, ok := cloudtrail.ParseObject(s.cursor.Digests[region].Object)
		if ok && o.Time.Before(covered) {
			covered = o.Time
		}
	}
	return covered
}

// Status implements ship.Sink.
func (s *Sink) Status() ship.Status {
	status := s.progress.At(s.o.Trail.Head().Seq, time.Now())
	status.Name, status.Required = "s3", s.o.Required
	return status
}

// Taken implements ship.Sink: the newest record all whose files, and a digest of each
// Region that covers it, are in the bucket.
func (s *Sink) Taken() (uint64, error) { return s.Status().Sequence, nil }

// Close sends what there is, once and for ten seconds at most, and stops.
func (s *Sink) Close(ctx context.Context) error {
	close(s.ending)
	timer := time.AfterFunc(lastRound, s.cancel)
	defer timer.Stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.cancel()
		<-s.done
		return fmt.Errorf("stopping sink s3: %w", ctx.Err())
	}
}

// run makes rounds until the last one.
func (s *Sink) run(ctx context.Context) {
	defer close(s.done)
	defer s.bucket.close()
	defer s.cancel()
	pauses := ship.NewPauses()
	for {
		err := s.round(ctx)
		pause := s.o.lookInterval
		if err != nil && ctx.Err() == nil {
			pause = pauses.Next(err)
			s.note(err)
		} else {
			pauses.Reset()
			s.progress.Took(0)
		}
		if last := s.wait(ctx, pause); last {
			if err := s.round(ctx); err != nil {
				s.o.Logger.Warn("not everything was sent to the bucket before the end: it is sent after the next start", "error", err)
			}
			return
		}
	}
}

// note tells of a round that failed.
func (s *Sink) note(err error) {
	s.progress.Failed(err)
	if different := (*conflict)(nil); errors.As(err, &different) {
		s.progress.Block()
		s.o.Logger.Error("SOMEBODY ELSE HAS WRITTEN AN OBJECT OF THE TRAIL: nothing is sent until it is gone", "error", err)
		return
	}
	s.o.Logger.Warn("sending files to the bucket", "error", err)
}

// wait returns when the next round is due, and whether it is the last one.
func (s *Sink) wait(ctx context.Context, pause time.Duration) (last bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-s.ending:
		return true
	case <-ctx.Done():
		return true
	case <-timer.C:
	}
	return false
}
