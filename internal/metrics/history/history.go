// Package history keeps metrics over time: it samples them every few seconds, makes a
// point of each minute, and has the points of the last day in memory and in files
// (docs/formats/metric-history.md). It is no part of the way of any request: when its
// directory cannot be written the points are kept in memory only.
package history

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// The values of Options fields left zero.
const (
	DefaultEvery = 5 * time.Second
	DefaultKeep  = 24 * time.Hour
)

// Options say what is kept. All but Dir may be zero.
type Options struct {
	// Dir is the directory of the files. It is made if missing; its files of other
	// versions are left alone.
	Dir string
	// Every is how often samples are taken, up to a minute.
	Every time.Duration
	// Keep is how long points are kept, at least an hour.
	Keep time.Duration
	// Logger is told once when files cannot be read or written, and when they can again;
	// nil is silence.
	Logger hclog.Logger
}

// Source tells the values of the moment, at most one of each series. It answers at once. A value
// that is no finite number is left out.
type Source func() []metric.Value

// History is the metrics of the last day. It is safe for concurrent use.
type History struct {
	every time.Duration
	files *files // only the sampler's, once it runs
	feed  *feed

	mu     sync.Mutex
	memory *memory
	open   *minute // the one of the last sample; nil: it was kept

	stop    context.CancelFunc
	sampler sync.WaitGroup
}

var _ keystore.Figures = (*History)(nil)

// Open reads what was kept before. What cannot be read is told to the Logger; it is no
// error, because metrics are not worth a start that fails.
func Open(o Options) (*History, error) {
	if o.Every == 0 {
		o.Every = DefaultEvery
	}
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	switch {
	case o.Dir == "":
		return nil, errors.New("metric history: a directory is required")
	case o.Every < 0 || o.Every > metric.Period:
		return nil, errors.New("metric history: samples are taken at least once a minute")
	case o.Keep < fileLength:
		return nil, errors.New("metric history: points are kept for an hour at least")
	}
	h := &History{every: o.Every, files: newFiles(o.Dir, o.Keep, o.Logger), feed: newFeed(), memory: newMemory(o.Keep), stop: func() {}}
	h.files.read(time.Now(), h.memory.add)
	h.memory.forget(time.Now())
	return h, nil
}

// Start begins to take samples. It is called once at most.
func (h *History) Start(sources ...Source) {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.sampler.Go(func() { h.run(ctx, sources) })
}

// Close takes no more samples, keeps those of the minute under way, and ends all readers
// of Samples.
func (h *History) Close() {
	h.stop()
	h.sampler.Wait()
	h.feed.end()
}

func (h *History) run(ctx context.Context, sources []Source) {
	tick := time.NewTicker(h.every)
	defer tick.Stop()
	for {
		h.take(time.Now(), sources)
		select {
		case <-tick.C:
		case <-ctx.Done():
			h.keep(nil)
			return
		}
	}
}

// take takes a sample.
func (h *History) take(now time.Time, sources []Source) {
	s := metric.Sample{Time: now}
	for _, source := range sources {
		s.Values = append(s.Values, slices.DeleteFunc(source(), isNotFinite)...)
	}
	if at := now.UTC().Truncate(metric.Period); h.open == nil || !at.Equal(h.open.at) {
		h.keep(newMinute(at))
	}
	h.mu.Lock()
	h.open.add(s.Values)
	h.mu.Unlock()
	h.feed.publish(s)
}

func isNotFinite(v metric.Value) bool { return math.IsNaN(v.Value) || math.IsInf(v.Value, 0) }

// keep puts the points of the minute that is over to the others, and begins the next one.
func (h *History) keep(next *minute) {
	h.mu.Lock()
	over := h.open
	h.open = next
	if over != nil {
		over.each(h.memory.add)
		h.memory.forget(over.at)
	}
	h.mu.Unlock()
	if over != nil {
		h.files.append(over)
	}
}

// Series implements keystore.Figures. The minute under way counts, too.
func (h *History) Series(since time.Time) []metric.Series {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := h.memory.series(since)
	if h.open != nil && !h.open.at.Before(since) {
		h.open.each(func(s metric.Series, _ metric.Point) { found[s.Key()] = s })
	}
	return inOrder(found)
}

// Points implements keystore.Figures. The newest may be of a minute under way. There is
// never an error.
func (h *History) Points(s metric.Series, from, to time.Time) ([]metric.Point, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	points := h.memory.points(s, from, to)
	if h.open == nil || h.open.at.Before(from) || !h.open.at.Before(to) {
		return points, nil
	}
	if p, ok := h.open.point(s); ok {
		points = insert(points, p)
	}
	return points, nil
}

// Samples implements keystore.Figures. A reader that takes longer than there is between two
// samples misses some; nobody waits for it.
func (h *History) Samples(ctx context.Context) iter.Seq[metric.Sample] { return h.feed.samples(ctx) }
