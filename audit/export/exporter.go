package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// ErrClosed says that Close was called.
var ErrClosed = errors.New("exporter is closed")

// Pauses after a fault of the directory or of the journal.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// Exporter exports a trail. Its methods may be called from many goroutines.
type Exporter struct {
	opts     Options
	names    cloudtrail.Names
	requests chan *request
	cancel   context.CancelFunc
	done     chan struct{} // closed when nothing runs any more
	pause    time.Duration // after the next fault
	lock     *os.File      // of the directory; nil until it could be taken

	mu     sync.Mutex
	status Status
	since  time.Time // when the oldest record that was read and is not exported was written
}

// request asks for everything to be exported, and a digest.
type request struct {
	ctx   context.Context
	final bool       // and nothing after it
	done  chan error // holds one
}

// Open begins to export. Its errors say what is wrong with the options or with the
// directory, or that the directory holds what this journal has not recorded. A directory
// that cannot be written now, as on a full disk, is no error: see Status, and it is tried again.
func Open(opts Options) (*Exporter, error) {
	opts.setDefaults()
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("exporting the audit trail: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Exporter{
		opts: opts, names: opts.names(), requests: make(chan *request), cancel: cancel,
		done: make(chan struct{}), pause: firstPause,
	}
	if err := e.start(ctx); err != nil {
		cancel()
		return nil, fmt.Errorf("exporting the audit trail: %w", err)
	}
	return e, nil
}

func (e *Exporter) start(ctx context.Context) error {
	s, err := e.begin(ctx)
	if err != nil && !mayPass(err) {
		return errors.Join(err, e.unlock())
	}
	if err != nil {
		e.failed(err)
	}
	go e.run(ctx, s)
	return nil
}

// begin takes the directory, if it is not taken yet, and resumes.
func (e *Exporter) begin(ctx context.Context) (*session, error) {
	d := e.disk()
	if err := d.makeDir(d.path(tempDir)); err != nil {
		return nil, fmt.Errorf("making the directory: %w", err)
	}
	if e.lock == nil {
		lock, err := d.lock()
		if err != nil {
			return nil, fmt.Errorf("locking the directory: %w", err)
		}
		e.lock = lock
	}
	return e.resume(ctx)
}

func (e *Exporter) disk() disk { return disk{e.opts.Directory, e.opts.before} }

func (e *Exporter) unlock() error {
	if e.lock == nil {
		return nil
	}
	return e.lock.Close()
}

// mayPass says whether a fault of a start may end without anybody deciding something: the
// disk cannot be used now, or the newest digests cannot be trusted yet.
func mayPass(err error) bool {
	if untrusted := (*untrustedError)(nil); errors.As(err, &untrusted) {
		return true
	}
	for _, passing := range []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EACCES, syscall.EPERM, syscall.ESTALE, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// run keeps sessions going until Close, beginning with one if it could be begun.
func (e *Exporter) run(ctx context.Context, s *session) {
	defer close(e.done)
	defer e.unlock() //nolint:errcheck // nothing was written to it
	var next *request
	if s == nil {
		s, next = e.restart(ctx)
	}
	for s != nil {
		err := s.run(ctx, next)
		if err == nil {
			return
		}
		e.failed(err)
		s, next = e.restart(ctx)
	}
}

// restart begins a new session after a pause, with the request that cut the pause
// short; nil at the end.
func (e *Exporter) restart(ctx context.Context) (*session, *request) {
	for {
		r := e.wait(ctx)
		if ctx.Err() != nil {
			return nil, nil
		}
		s, err := e.begin(ctx)
		if err == nil {
			return s, r
		}
		e.failed(err)
		if r != nil {
			r.done <- err
			if r.final {
				return nil, nil
			}
		}
	}
}

// wait pauses after a fault, unless somebody asks for something.
func (e *Exporter) wait(ctx context.Context) *request {
	pause := time.NewTimer(e.pause)
	defer pause.Stop()
	e.pause = min(2*e.pause, lastPause)
	select {
	case <-pause.C:
	case r := <-e.requests:
		return r
	case <-ctx.Done():
	}
	return nil
}

// Digest exports what the trail holds now, and signs digests for it.
func (e *Exporter) Digest(ctx context.Context) error { return e.ask(ctx, false) }

// Close exports what the trail holds now, signs the last digests and stops. If that
// fails, or ctx ends before, it returns why; what is left to do is done after the
// next Open. The trail and the signer must not be closed before.
func (e *Exporter) Close(ctx context.Context) error {
	err := e.ask(ctx, true)
	e.cancel()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	select {
	case <-e.done:
	case <-ctx.Done():
	}
	if err != nil {
		return fmt.Errorf("ending the export of the audit trail: %w", err)
	}
	return nil
}

func (e *Exporter) ask(ctx context.Context, final bool) error {
	r := &request{ctx: ctx, final: final, done: make(chan error, 1)}
	select {
	case e.requests <- r:
	case <-e.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
	}
	select {
	case err := <-r.done: // the last thing that was done
		return err
	default:
		return ErrClosed
	}
}
