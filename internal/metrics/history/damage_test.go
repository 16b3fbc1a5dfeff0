package history_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/internal/metrics/history"
	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// What cannot be read of a directory is told, and the rest is read.
func TestFilesThatCannotBeRead(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", goldenFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(golden, []byte{'\n'})
	without := func(n int) []byte { // one of its lines is damaged
		damaged := slices.Clone(lines)
		damaged[n] = append([]byte("#"), lines[n]...)
		return bytes.Join(damaged, nil)
	}
	for name, tc := range map[string]struct {
		content []byte
		minutes int
		words   string
	}{
		"another version":    {bytes.Replace(golden, []byte(`"version":1`), []byte(`"version":2`), 1), 0, "not that of a metric history of version 1"},
		"another format":     {[]byte("{}\n"), 0, "not that of a metric history of version 1"},
		"a damaged line":     {without(2), 2, "line 3: "},
		"no series":          {without(1), 0, "a point is of no series"},
		"too many samples":   {append(slices.Clone(golden), "{\"minute\":\"2000-01-01T00:03:00Z\",\"points\":[[0,4294967296,1,1,1]]}\n"...), 3, "of as many samples as cannot be"},
		"a point of nothing": {append(slices.Clone(golden), "{\"points\":[[0,1,1,1,1]]}\n"...), 3, "of no minute"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lines := new(log)
				h := open(t, history.Options{Dir: copyOf(t, tc.content), Logger: hclog.New(&hclog.LoggerOptions{Output: lines})})
				if got := all(t, h)["HsmSessionCount"]; len(got) != tc.minutes {
					t.Errorf("the points are %v, want %d", got, tc.minutes)
				}
				if !strings.Contains(lines.String(), tc.words) || strings.Count(lines.String(), "\n") != 1 {
					t.Errorf("the log does not say %q:\n%s", tc.words, lines)
				}
			})
		})
	}
}

// A directory that cannot be written is told of once, and when it can be again; what was
// sampled meanwhile is known.
func TestADirectoryThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := new(log)
		dir := filepath.Join(t.TempDir(), "metrics")
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file in its place
			t.Fatal(err)
		}
		h := open(t, history.Options{Dir: dir, Logger: hclog.New(&hclog.LoggerOptions{Output: lines})})
		h.Start(counting())
		time.Sleep(3*time.Minute + time.Second)
		synctest.Wait()
		if got := len(all(t, h)["HsmSessionCount"]); got != 4 {
			t.Errorf("%d minutes are known", got)
		}
		if got := strings.Count(lines.String(), "cannot be written"); got != 1 {
			t.Errorf("it is told %d times:\n%s", got, lines)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		h.Close()
		if got := strings.Count(lines.String(), "can be written again"); got != 1 {
			t.Errorf("its end is told %d times:\n%s", got, lines)
		}
		if got := all(t, open(t, history.Options{Dir: dir}))["HsmSessionCount"]; len(got) != 2 {
			t.Errorf("written are %v", got)
		}
	})
}

// What was written is removed or cut off by somebody else while the process runs: the minutes that
// follow are there.
func TestFilesThatOthersChange(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"emptied": func(dir string) error { return os.Truncate(filepath.Join(dir, goldenFile), 0) },
		"cut off": func(dir string) error { return os.Truncate(filepath.Join(dir, goldenFile), 60) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "metrics")
				h := open(t, history.Options{Dir: dir})
				h.Start(counting())
				time.Sleep(2*time.Minute + time.Second)
				synctest.Wait()
				if err := change(dir); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				h.Close()
				want := []metric.Point{minute(2, 12, 25, 36, 366), minute(3, 12, 37, 48, 510), minute(4, 1, 49, 49, 49)}
				if diff := cmp.Diff(want, all(t, open(t, history.Options{Dir: dir}))["HsmSessionCount"]); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
