package history_test

import (
	"bytes"
	"context"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/internal/metrics/history"
	"github.com/strongroom-kms/strongroom/keystore/metric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sessions is a series of an HSM, requests one of the service.
var (
	sessions = metric.Series{
		Namespace: metric.CloudHSM, Name: "HsmSessionCount", Unit: "Count",
		Dimensions: []metric.Dimension{{Name: "ClusterId", Value: "cluster-a"}, {Name: "HsmId", Value: "hsm-a"}},
	}
	requests = metric.Series{Namespace: metric.Service, Name: "Requests", Unit: "Count"}
)

// midnight is when the clock of synctest begins.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// log may be read while it is written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func open(t *testing.T, o history.Options) *history.History {
	t.Helper()
	h, err := history.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// counting is a source of values that grow by 1 from sample to sample, from 1 on. The
// second series begins with the second minute.
func counting() history.Source {
	n := 0.0
	return func() []metric.Value {
		n++
		values := []metric.Value{{Series: sessions, Value: n}, {Series: metric.Series{Name: "None"}, Value: math.NaN()}}
		if n > 12 {
			values = append(values, metric.Value{Series: requests, Value: n / 8})
		}
		return values
	}
}

// record keeps so much time of counting.
func record(t *testing.T, o history.Options, length time.Duration) {
	t.Helper()
	h := open(t, o)
	h.Start(counting())
	time.Sleep(length)
	h.Close()
}

// all returns every point, by the names of series.
func all(t *testing.T, h *history.History) map[string][]metric.Point {
	t.Helper()
	found := map[string][]metric.Point{}
	for _, s := range h.Series(time.Time{}) {
		points, err := h.Points(s, time.Time{}, midnight.Add(1e6*time.Hour))
		if err != nil || len(points) == 0 {
			t.Errorf("the points of %v are %v: %v", s, points, err)
		}
		found[s.Name] = points
	}
	return found
}

func minute(n int, samples uint32, least, most, sum float64) metric.Point {
	return metric.Point{Time: midnight.Add(time.Duration(n) * time.Minute), Samples: samples, Min: least, Max: most, Sum: sum}
}

// Samples of every 5 seconds become a point of each minute, also of the one under way.
func TestPointsOfMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, history.Options{Dir: t.TempDir()})
		h.Start(counting())
		time.Sleep(2*time.Minute + 7*time.Second)
		synctest.Wait()
		want := map[string][]metric.Point{
			"HsmSessionCount": {minute(0, 12, 1, 12, 78), minute(1, 12, 13, 24, 222), minute(2, 2, 25, 26, 51)},
			"Requests":        {minute(1, 12, 13./8, 3, 222./8), minute(2, 2, 25./8, 26./8, 51./8)},
		}
		if diff := cmp.Diff(want, all(t, h)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.Close()
	})
}

func TestPointsOfATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		record(t, history.Options{Dir: dir}, 3*time.Minute-time.Second)
		h := open(t, history.Options{Dir: dir})
		for _, tc := range []struct{ from, to, first, n int }{
			{0, 3, 0, 3}, {0, 1, 0, 1}, {1, 3, 1, 2}, {3, 4, 0, 0}, {-5, 0, 0, 0}, {2, 1, 0, 0},
		} {
			points, err := h.Points(sessions, midnight.Add(time.Duration(tc.from)*time.Minute), midnight.Add(time.Duration(tc.to)*time.Minute))
			if err != nil || len(points) != tc.n || tc.n > 0 && !points[0].Time.Equal(midnight.Add(time.Duration(tc.first)*time.Minute)) {
				t.Errorf("from minute %d to %d: %v, %v", tc.from, tc.to, points, err)
			}
		}
		if got := h.Series(midnight.Add(2 * time.Minute)); len(got) != 2 || got[0].Name != sessions.Name {
			t.Errorf("the series since the last minute are %v", got)
		}
		if got := h.Series(midnight.Add(3 * time.Minute)); len(got) != 0 {
			t.Errorf("the series since later are %v", got)
		}
		if points, err := h.Points(metric.Series{Name: "Other"}, midnight, midnight.Add(time.Hour)); len(points) > 0 || err != nil {
			t.Errorf("the points of a series that there is not are %v: %v", points, err)
		}
	})
}

const goldenFile = "2000-01-01T00Z.v1.jsonl"

// A file is what it was when the format was made, and can be read.
func TestGoldenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		golden, err := os.ReadFile(filepath.Join("testdata", goldenFile))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		record(t, history.Options{Dir: dir}, 2*time.Minute+7*time.Second)
		written, err := os.ReadFile(filepath.Join(dir, goldenFile))
		if err != nil || !bytes.Equal(golden, written) {
			t.Errorf("written: %v\n%s\nwant\n%s", err, written, golden)
		}
		want := map[string][]metric.Point{
			"HsmSessionCount": {minute(0, 12, 1, 12, 78), minute(1, 12, 13, 24, 222), minute(2, 2, 25, 26, 51)},
			"Requests":        {minute(1, 12, 13./8, 3, 222./8), minute(2, 2, 25./8, 26./8, 51./8)},
		}
		if diff := cmp.Diff(want, all(t, open(t, history.Options{Dir: copyOf(t, golden)}))); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
	})
}

// copyOf is a directory with the golden file, of that content.
func copyOf(t *testing.T, content []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, goldenFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Wherever the writing of a file was cut off, the minutes before are there, and others
// are added.
func TestCutOffAnywhere(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", goldenFile))
	if err != nil {
		t.Fatal(err)
	}
	dir := copyOf(t, golden)
	for n := range len(golden) + 1 {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(10 * time.Minute)
			if err := os.WriteFile(filepath.Join(dir, goldenFile), golden[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			minutes := bytes.Count(golden[:n], []byte(`"minute"`)) // the points stand behind it in their line
			if text := golden[:n]; minutes > bytes.Count(text[:bytes.LastIndexByte(text, '\n')+1], []byte(`"minute"`)) {
				minutes--
			}
			if got := all(t, open(t, history.Options{Dir: dir}))["HsmSessionCount"]; len(got) != minutes {
				t.Fatalf("of %d bytes there are the points %v, want %d", n, got, minutes)
			}
			record(t, history.Options{Dir: dir}, time.Second)
			got := all(t, open(t, history.Options{Dir: dir}))["HsmSessionCount"]
			if len(got) != minutes+1 || got[minutes] != minute(10, 1, 1, 1, 1) {
				t.Fatalf("behind %d bytes there are the points %v, want %d and one more", n, got, minutes)
			}
		})
	}
}

// A process that is started again within a minute adds to it.
func TestAMinuteOfTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		record(t, history.Options{Dir: dir}, 10*time.Second-1)
		record(t, history.Options{Dir: dir}, 10*time.Second-1)
		want := []metric.Point{minute(0, 4, 1, 2, 6)}
		if diff := cmp.Diff(want, all(t, open(t, history.Options{Dir: dir}))["HsmSessionCount"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// What is kept for long enough is removed, from memory and the directory, and nothing else is.
func TestOldPointsAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, others := t.TempDir(), []string{"1999-01-01T00Z.v2.jsonl", "notes"}
		for _, name := range others {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h := open(t, history.Options{Dir: dir, Keep: 2 * time.Hour, Every: time.Minute})
		h.Start(counting())
		time.Sleep(5*time.Hour + time.Second)
		synctest.Wait()
		if got := all(t, h)["HsmSessionCount"]; len(got) != 122 || !got[0].Time.Equal(midnight.Add(179*time.Minute)) {
			t.Errorf("there are %d points from %v on", len(got), got[0].Time)
		}
		h.Close()
		want := []string{others[0], "2000-01-01T02Z.v1.jsonl", "2000-01-01T03Z.v1.jsonl", "2000-01-01T04Z.v1.jsonl", "2000-01-01T05Z.v1.jsonl", others[1]}
		if diff := cmp.Diff(want, names(t, dir)); diff != "" {
			t.Errorf("the directory (-want +got):\n%s", diff)
		}
	})
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// Readers get the newest sample at once and each that follows, as far as they keep up, until
// they go or the history is closed. One that does not take any holds nobody up.
func TestReadersOfSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, history.Options{Dir: t.TempDir()})
		h.Start(counting())
		time.Sleep(time.Second)
		var mu sync.Mutex
		got := map[string][]float64{}
		ctx, leave := context.WithCancel(t.Context())
		for name, pause := range map[string]time.Duration{"quick": 0, "slow": 11 * time.Second, "stuck": time.Minute} {
			go func() {
				for s := range h.Samples(ctx) {
					mu.Lock()
					got[name] = append(got[name], s.Values[0].Value)
					mu.Unlock()
					time.Sleep(pause)
				}
			}()
		}
		time.Sleep(28 * time.Second)
		leave()
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		if diff := cmp.Diff(map[string][]float64{"quick": {1, 2, 3, 4, 5, 6}, "slow": {1, 3, 5}, "stuck": {1}}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		mu.Unlock()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range h.Samples(t.Context()) {
			}
		}()
		synctest.Wait()
		h.Close()
		<-ended
	})
}

func TestOptionsThatAreRefused(t *testing.T) {
	for words, o := range map[string]history.Options{
		"a directory is required":    {},
		"at least once a minute":     {Dir: "d", Every: 2 * time.Minute},
		"are kept for an hour":       {Dir: "d", Keep: time.Minute},
		"samples are taken at least": {Dir: "d", Every: -1},
	} {
		if _, err := history.Open(o); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v, want %q", o, err, words)
		}
	}
}
