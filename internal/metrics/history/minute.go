package history

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// minute is the points of a minute, as far as its samples are there.
type minute struct {
	at     time.Time
	tracks map[string]*track // by the keys of series; one point each
}

// track is the points of a series, oldest first.
type track struct {
	series metric.Series
	points []metric.Point
}

func newMinute(at time.Time) *minute { return &minute{at: at, tracks: map[string]*track{}} }

// add adds a sample.
func (m *minute) add(values []metric.Value) {
	for _, v := range values {
		p := metric.Point{Time: m.at, Min: v.Value, Max: v.Value, Sum: v.Value, Samples: 1}
		key := v.Series.Key()
		if t, ok := m.tracks[key]; ok {
			t.points[0] = t.points[0].With(p)
			continue
		}
		m.tracks[key] = &track{series: v.Series, points: []metric.Point{p}}
	}
}

// each gives all points, in the order of the series' keys.
func (m *minute) each(give func(metric.Series, metric.Point)) {
	for _, key := range slices.Sorted(maps.Keys(m.tracks)) {
		give(m.tracks[key].series, m.tracks[key].points[0])
	}
}

func (m *minute) point(s metric.Series) (metric.Point, bool) {
	if t, ok := m.tracks[s.Key()]; ok {
		return t.points[0], true
	}
	return metric.Point{}, false
}

// memory is the points of the time that is kept.
type memory struct {
	keep   time.Duration
	tracks map[string]*track // by the keys of series; none is empty
}

func newMemory(keep time.Duration) *memory {
	return &memory{keep: keep, tracks: map[string]*track{}}
}

// add adds a point to those of its series.
func (m *memory) add(s metric.Series, p metric.Point) {
	t, ok := m.tracks[s.Key()]
	if !ok {
		t = &track{series: s}
		m.tracks[s.Key()] = t
	}
	t.points = insert(t.points, p)
}

// insert puts a point in its place. Two of the same minute become one: of a process that
// was started again, or a clock that was set back.
func insert(points []metric.Point, p metric.Point) []metric.Point {
	at := first(points, p.Time)
	if at < len(points) && points[at].Time.Equal(p.Time) {
		points[at] = points[at].With(p)
		return points
	}
	return slices.Insert(points, at, p)
}

// first is the index of the first point that is not before a time.
func first(points []metric.Point, t time.Time) int {
	return sort.Search(len(points), func(i int) bool { return !points[i].Time.Before(t) })
}

// forget drops what is older than what is kept.
func (m *memory) forget(now time.Time) {
	for key, t := range m.tracks {
		t.points = slices.Delete(t.points, 0, first(t.points, now.Add(-m.keep)))
		if len(t.points) == 0 {
			delete(m.tracks, key)
		}
	}
}

func (m *memory) series(since time.Time) map[string]metric.Series {
	found := map[string]metric.Series{}
	for key, t := range m.tracks {
		if !t.points[len(t.points)-1].Time.Before(since) {
			found[key] = t.series
		}
	}
	return found
}

// points returns a copy of those in [from, to).
func (m *memory) points(s metric.Series, from, to time.Time) []metric.Point {
	t, ok := m.tracks[s.Key()]
	if !ok || !from.Before(to) {
		return nil
	}
	return slices.Clone(t.points[first(t.points, from):first(t.points, to)])
}

func inOrder(all map[string]metric.Series) []metric.Series {
	list := make([]metric.Series, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[key])
	}
	return list
}
