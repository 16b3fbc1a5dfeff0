package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// taken is a value of a series that was sampled.
type taken struct {
	series int
	at     time.Time
	value  float64
}

// Whatever is sampled, and however the clock goes, the points of a minute are of all samples of
// that minute and no others; in memory and in the files.
func TestPointsAreOfTheirSamples(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		h, err := Open(Options{Dir: dir, Keep: 1000 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		h.files.dir += "/" + rapid.StringMatching("[a-z]{20}").Draw(t, "directory")
		now := time.Now().UTC().Truncate(time.Hour)
		var samples []taken
		for range rapid.IntRange(1, 60).Draw(t, "samples") {
			now = now.Add(time.Duration(rapid.IntRange(-90, 400).Draw(t, "seconds")) * time.Second)
			var values []metric.Value
			for series := range 3 {
				if rapid.Bool().Draw(t, "told") {
					v := float64(rapid.IntRange(-1000, 1000).Draw(t, "value"))
					samples = append(samples, taken{series, now, v})
					values = append(values, metric.Value{Series: numbered(series), Value: v})
				}
			}
			h.take(now, []Source{func() []metric.Value { return values }})
		}
		want := aggregate(samples)
		compare(t, "with the last minute open", want, h.memoryWithOpen())
		h.keep(nil)
		read := newMemory(1000 * time.Hour)
		newFiles(h.files.dir, 1000*time.Hour, h.files.log).read(now, read.add)
		compare(t, "in the files", want, read.tracks)
	})
}

func numbered(n int) metric.Series {
	return metric.Series{Namespace: "N", Name: fmt.Sprint("series ", n), Unit: "Count"}
}

// aggregate does it the slow way.
func aggregate(all []taken) map[string]map[time.Time]metric.Point {
	points := map[string]map[time.Time]metric.Point{}
	for _, s := range all {
		key, at := numbered(s.series).Key(), s.at.Truncate(time.Minute)
		if points[key] == nil {
			points[key] = map[time.Time]metric.Point{}
		}
		p, ok := points[key][at]
		if !ok {
			p = metric.Point{Time: at, Min: s.value, Max: s.value}
		}
		p.Min, p.Max, p.Sum, p.Samples = min(p.Min, s.value), max(p.Max, s.value), p.Sum+s.value, p.Samples+1
		points[key][at] = p
	}
	return points
}

// memoryWithOpen is what Points tells of.
func (h *History) memoryWithOpen() map[string]*track {
	all := map[string]*track{}
	for _, s := range h.Series(time.Time{}) {
		points, _ := h.Points(s, time.Time{}, time.Now().Add(1000*time.Hour))
		all[s.Key()] = &track{series: s, points: points}
	}
	return all
}

func compare(t *rapid.T, where string, want map[string]map[time.Time]metric.Point, tracks map[string]*track) {
	got := map[string]map[time.Time]metric.Point{}
	for key, track := range tracks {
		got[key] = map[time.Time]metric.Point{}
		for i, p := range track.points {
			if i > 0 && !track.points[i-1].Time.Before(p.Time) {
				t.Fatalf("%s: the points are not in order: %v", where, track.points)
			}
			got[key][p.Time] = p
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", where, diff)
	}
}
