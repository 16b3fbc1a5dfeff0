package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// recordingEnv names the directory of a recording that is used instead of a new
// one, so that a failure can be seen again.
const recordingEnv = "STRONGROOM_POWERCUT_RECORDING"

// runsPerRecording is how many power cuts a recording is used for.
const runsPerRecording = 50

// The power fails at any moment, and the disk has lost any of what nobody synced.
// Then the server starts, every answer that a client had received has its event,
// every key is in the state that was answered last, and opens what it has sealed.
// The last third of the cuts come while the server recovers from another one.
func TestPowerCut(t *testing.T) {
	requireStrace(t)
	first, runs := number(t, "STRONGROOM_POWERCUT_SEED", 1), number(t, "STRONGROOM_POWERCUT_RUNS", usualRuns())
	if dir := os.Getenv(recordingEnv); dir != "" {
		r, err := replay(dir)
		if err != nil {
			t.Fatal(err)
		}
		cutPower(t, r, dir, first, runs)
		return
	}
	for ; runs > 0 && !t.Failed(); first, runs = first+runsPerRecording, runs-runsPerRecording {
		t.Run(fmt.Sprintf("from seed %d", first), func(t *testing.T) { recordAndCut(t, first, min(runs, runsPerRecording)) })
	}
}

// usualRuns is how often the power is cut when nobody says how often.
func usualRuns() int {
	if testing.Short() {
		return 6
	}
	return 18
}

// recordAndCut makes a recording and cuts the power so often: a third of the times in
// another recording, of a start after the first cut.
func recordAndCut(t *testing.T, first, runs int) {
	t.Helper()
	dir := keptOnFailure(t)
	r, err := record(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	again := runs / 3
	cutPower(t, r, dir, first, runs-again)
	t.Run("each sync counts", func(t *testing.T) { eachSyncCounts(t, r) })
	if again == 0 {
		return
	}
	dir = keptOnFailure(t)
	r, err = r.recordAfter(t.Context(), newCut(r.points, uint64(first)), dir)
	if err != nil {
		t.Fatal(err)
	}
	cutPower(t, r, dir, first+runs-again, again)
}

// cutPower cuts the power once for each of some seeds.
func cutPower(t *testing.T, r *recording, dir string, first, runs int) {
	t.Helper()
	t.Logf("a recording of %d answers and %d moments", len(newLedger(r.notesUntil(never)).answered), len(r.points))
	t.Run(fmt.Sprintf("%d cuts from %d", runs, first), func(t *testing.T) {
		for seed := first; seed < first+runs; seed++ {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				c := newCut(r.points, uint64(seed))
				if err := r.check(t.Context(), c, filepath.Join(t.TempDir(), siteDir)); err != nil {
					t.Errorf("%v\n%v\nsee it again with: %s=%s STRONGROOM_POWERCUT_SEED=%d STRONGROOM_POWERCUT_RUNS=1 go test -run PowerCut ./integration/powercut",
						c, err, recordingEnv, dir, seed)
				}
			})
		}
	})
}

// eachSyncCounts cuts the power after the last answer, when all that was not synced
// is lost, and has one kind of sync do nothing: each time that must be noticed.
func eachSyncCounts(t *testing.T, r *recording) {
	t.Helper()
	const exported = "data/trail/AWSLogs/"
	for _, test := range []struct {
		of   string
		void func(path string) bool
		says string
	}{
		{"nothing", func(string) bool { return false }, "<nil>"},
		{"the journal's records", func(path string) bool { return filepath.Ext(path) == ".journal" }, "audit verify"},
		{"the names of the journal's segments", func(path string) bool { return path == "data/journal" }, "does not start"},
		{"the metadata", func(path string) bool { return path == "data/metadata.db" }, "does not start"},
		{"the names in the data directory", func(path string) bool { return path == "data" }, "was answered"},
		{"the token's objects", func(path string) bool { return filepath.Ext(path) == ".object" }, "the same keys"},
		{"the names of the token's objects", func(path string) bool { return filepath.Dir(path) == "tokens" }, "the same keys"},
		{"the exported files", func(path string) bool { return strings.HasPrefix(path, exported) && filepath.Ext(path) == ".gz" }, "audit verify"},
		{"the names of the exported files", func(path string) bool { return strings.HasPrefix(path, exported) && filepath.Ext(path) == "" }, "audit verify"},
		{"the exporter's state", func(path string) bool { return path == "data/trail/.strongroom/state.json" }, "does not start"},
	} {
		t.Run("without syncs of "+test.of, func(t *testing.T) {
			t.Parallel()
			c := newCut(r.points[len(r.points)-1:], 0)
			c.kept, c.garbage, c.unsynced = 0, false, test.void
			err := r.check(t.Context(), c, filepath.Join(t.TempDir(), siteDir))
			if text := fmt.Sprint(err); !strings.Contains(text, test.says) {
				t.Errorf("got %.2000s, want an error that says %q", text, test.says)
			}
		})
	}
}

// number returns a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, not a number", name, text)
	}
	return n
}

// keptOnFailure returns a new directory that is left where it is if the test fails.
func keptOnFailure(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "strongroom-powercut-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the recording is kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
