package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// preparer keeps one zero-filled segment file ready, and truncates the ones
// that are full. It does so in a goroutine of its own, off the callers' path.
type preparer struct {
	dir   string
	size  int64
	retry time.Duration // first pause after a fault
	limit time.Duration // longest one
	open  openFunc
	log   hclog.Logger

	stop context.CancelFunc
	done chan struct{}
	wake chan struct{}

	mu      sync.Mutex
	ready   string // path of a prepared file, or empty
	err     error  // why there is none
	changed chan struct{}
	retired []retired
}

// retired is a segment that is no longer written.
type retired struct {
	file file
	path string
	end  int64
}

func newPreparer(o Options) *preparer {
	return &preparer{
		dir: o.Dir, size: o.SegmentSize, retry: o.retry, limit: o.maxRetry(), open: o.open, log: o.Logger,
		done: make(chan struct{}), wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

func (p *preparer) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go p.run(ctx)
}

// close stops the goroutine, waits for it, and removes what was not used.
func (p *preparer) close() error {
	p.stop()
	<-p.done
	p.trimRetired()
	return removePrepared(p.dir)
}

func (p *preparer) run(ctx context.Context) {
	defer close(p.done)
	var pause time.Duration // after the last attempt; 0 if that worked
	for ctx.Err() == nil {
		p.trimRetired()
		pause = p.again(ctx, pause)
		var retry <-chan time.Time
		if pause > 0 {
			retry = time.After(pause)
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-retry:
		}
	}
}

// again refills, and returns how long to pause if that failed. A full disk takes
// up to a segment of writes each time before it shows, so the pauses grow.
func (p *preparer) again(ctx context.Context, last time.Duration) time.Duration {
	err := p.refill(ctx)
	switch {
	case err == nil && last > 0:
		p.log.Info("journal segments can be prepared again")
		return 0
	case err == nil || ctx.Err() != nil:
		return 0
	case last > 0:
		return min(2*last, p.limit)
	}
	p.log.Warn("cannot prepare a journal segment", "error", err)
	return p.retry
}

// refill prepares a file unless one is ready.
func (p *preparer) refill(ctx context.Context) error {
	p.mu.Lock()
	ready := p.ready != ""
	p.mu.Unlock()
	if ready {
		return nil
	}
	path, err := prepare(ctx, p.open, p.dir, p.size)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready, p.err = path, err
	close(p.changed)
	p.changed = make(chan struct{})
	return err
}

// take returns the path of a prepared file. It waits while one is being made,
// and fails if that failed. Who took one pokes.
func (p *preparer) take() (string, error) {
	for {
		p.mu.Lock()
		path, err, changed := p.ready, p.err, p.changed
		p.ready = ""
		p.mu.Unlock()
		switch {
		case path != "":
			return path, nil
		case err != nil:
			return "", err
		}
		<-changed
	}
}

// retire hands over a segment that ends at r.end, to be truncated and closed.
func (p *preparer) retire(r retired) {
	p.mu.Lock()
	p.retired = append(p.retired, r)
	p.mu.Unlock()
	p.poke()
}

func (p *preparer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *preparer) trimRetired() {
	p.mu.Lock()
	list := p.retired
	p.retired = nil
	p.mu.Unlock()
	for _, r := range list {
		// What lies after the end is no part of the journal, so failing here
		// costs space only; the next Open tries again.
		err := errors.Join(r.file.Truncate(r.end), r.file.Sync(), r.file.Close())
		if err != nil {
			p.log.Warn("cannot truncate a full journal segment", "path", r.path, "error", err)
		}
	}
}

// prepare makes a file of zeros whose blocks are written and synced.
func prepare(ctx context.Context, open openFunc, dir string, size int64) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%020d%s", time.Now().UnixNano(), preparedSuffix))
	f, err := open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("preparing a journal segment: %w", err)
	}
	err = fillZero(ctx, f, size)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path) // gives the space back; Open removes it otherwise
		return "", fmt.Errorf("preparing a journal segment: %w", err)
	}
	return path, nil
}

func fillZero(ctx context.Context, f file, size int64) error {
	zeros := make([]byte, min(size, 256<<10))
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return err
		}
	}
	return nil
}
