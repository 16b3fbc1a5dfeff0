package audit

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit/index"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// How often the newest records are indexed if nobody searches, how long nothing is written after it failed, and
// how many indexes without a file are kept meanwhile.
const (
	indexInterval = time.Second
	indexRetry    = time.Minute
	maxUnfiled    = 4
)

func (x *indexes) start() {
	ctx, cancel := context.WithCancel(context.Background())
	x.cancel = cancel
	go x.run(ctx)
}

func (x *indexes) close() {
	x.cancel()
	<-x.done
	x.catching.Lock()
	defer x.catching.Unlock()
	x.closed = true
	x.abandon()
}

// run keeps the indexes up to date: of the newest records each second, of segments that lack one
// the newest first, with a pause after each that is as long as the work was.
func (x *indexes) run(ctx context.Context) {
	defer close(x.done)
	b := &background{indexes: x, bad: make(map[uint64]bool)}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		case <-next.C:
		}
		began := time.Now()
		pause := indexInterval
		if b.round(ctx) {
			pause = min(pause, time.Since(began))
		}
		next.Reset(pause)
	}
}

// background is what the goroutine remembers from one round to the next.
type background struct {
	*indexes
	head    journal.Head    // up to which everything was done
	tidied  [2]uint64       // the oldest and the newest segment when the directory was tidied
	retryAt time.Time       // no file is written before
	bad     map[uint64]bool // segments that cannot be read
	failed  string          // what was logged last
}

// round does some of the work, and says whether there is more.
func (b *background) round(ctx context.Context) (more bool) {
	head := b.journal.Head()
	if head == b.head && b.unfiled() == 0 {
		return false
	}
	b.fault(b.catchUp())
	if time.Now().Before(b.retryAt) {
		return false
	}
	segments := b.journal.Segments()
	if row := [2]uint64{segments[0].Number, segments[len(segments)-1].Number}; row != b.tidied {
		b.tidy(row[0], row[1])
		b.tidied = row
	}
	if err := b.writeAll(); err != nil {
		b.fault(err)
		b.retryAt = time.Now().Add(indexRetry)
		return false
	}
	if b.fill(ctx, segments) {
		return true
	}
	b.head = head
	return false
}

// fault logs an error unless it is the one that was logged last.
func (b *background) fault(err error) {
	if err != nil && err.Error() != b.failed {
		b.failed = err.Error()
		b.log.Warn("the audit trails cannot be indexed; searches take longer", "error", err)
	}
}

func (x *indexes) unfiled() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.made)
}

// writeAll writes the indexes that have no file, until one cannot be written.
func (x *indexes) writeAll() error {
	x.mu.Lock()
	var waiting []*index.Builder
	for _, made := range x.made {
		waiting = append(waiting, made)
	}
	x.mu.Unlock()
	for _, made := range waiting {
		if err := made.Write(x.dir); err != nil {
			return err
		}
		x.mu.Lock()
		number := made.Info().Segment
		delete(x.made, number)
		x.files[number] = made.Info()
		delete(x.useless, number)
		x.mu.Unlock()
	}
	return nil
}

// fill makes the index of the newest complete segment that lacks one, and says whether there was one.
func (b *background) fill(ctx context.Context, segments []journal.Segment) bool {
	for i := len(segments) - 2; i >= 0; i-- {
		s := segments[i]
		if b.bad[s.Number] || b.has(s) {
			continue
		}
		_, whole, err := b.make(ctx, s)
		if err == nil && !whole {
			err = fmt.Errorf("journal segment %d does not end as the next one says", s.Number)
		}
		if err != nil && ctx.Err() == nil && !b.removed(s) {
			b.bad[s.Number] = true
			b.fault(err)
		}
		return ctx.Err() == nil
	}
	return false
}

// has says whether a segment has an index.
func (x *indexes) has(s journal.Segment) bool {
	if ix, known := x.inMemory(s.Number); ix != nil || known != nil {
		return true
	}
	f := x.openFile(s)
	if f != nil {
		f.Close()
	}
	return f != nil
}

// tidy removes the files of segments that are gone, or were never there, and what was left half
// written.
func (x *indexes) tidy(oldest, newest uint64) {
	names, err := os.ReadDir(x.dir)
	if err != nil {
		return // there is none so far; writing tells of other errors
	}
	for _, d := range names {
		if number, ok := index.Number(d.Name()); ok && number >= oldest && number < newest {
			continue
		}
		if ours := strings.Contains(d.Name(), index.Suffix); ours {
			_ = os.Remove(filepath.Join(x.dir, d.Name())) // the next time
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	gone := func(number uint64) bool { return number < oldest }
	maps.DeleteFunc(x.files, func(number uint64, _ index.Info) bool { return gone(number) })
	maps.DeleteFunc(x.useless, func(number uint64, _ bool) bool { return gone(number) })
	maps.DeleteFunc(x.made, func(number uint64, _ *index.Builder) bool { return gone(number) })
}
