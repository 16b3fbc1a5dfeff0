package export

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

func (w *world) statePath() string { return filepath.Join(w.opts.Directory, stateFile) }

func TestLostState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	must(t, os.Remove(w.statePath()))
	must(t, w.life())
	report := w.check()
	if n := len(digests(report, home)); n != 4 || len(report.Unnamed) > 0 {
		t.Errorf("%d digests, unnamed: %q", n, report.Unnamed)
	}
	if !strings.Contains(w.log.String(), "state is lost") {
		t.Errorf("the log does not tell:\n%s", w.log.String())
	}
}

func TestLostStateWithFilesThatNoDigestNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	e := w.open()
	w.events(home, 3)
	w.signer.set(context.DeadlineExceeded)
	if err := e.Close(t.Context()); err == nil {
		t.Error("closed with a digest")
	}
	w.signer.set(nil)
	must(t, os.Remove(w.statePath()))
	w.events(home, 1)
	w.close(w.open())
	if report := w.check(); len(report.Unnamed) != 1 {
		t.Errorf("unnamed: %q", report.Unnamed)
	}
}

// loseSecondDigest removes the state, and one Region's newest digest of two: the Regions are at different
// points then.
func (w *world) loseSecondDigest() {
	w.Helper()
	newest := filepath.Join(w.opts.Directory, digests(w.check(), second)[1].Object)
	must(w, os.Remove(newest))
	must(w, os.Remove(newest+cloudtrail.SignatureSuffix))
	must(w, os.Remove(w.statePath()))
}

func TestRegionsAtDifferentPoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	w.loseSecondDigest()
	must(t, w.life())
	w.check()
}

// TestDigestBeforeALateRegionHasCaughtUp signs when the state was lost and no record
// was read anew as yet: the Region that is ahead has nothing to add.
func TestDigestBeforeALateRegionHasCaughtUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	w.loseSecondDigest()

	opts := w.opts
	opts.setDefaults()
	e := &Exporter{opts: opts, names: opts.names()}
	s, err := e.resume(t.Context())
	must(t, err)
	must(t, s.sign(t.Context()))
	s.abandon()

	must(t, w.life())
	w.check()
}

func TestStateThatIsOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	old, err := os.ReadFile(w.statePath())
	must(t, err)
	must(t, w.life())
	must(t, os.WriteFile(w.statePath(), old, 0o600))
	must(t, w.life())
	w.check()
}

func TestRegionAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opts.Regions = []string{home}
	w.events(home, 1)
	w.close(w.open())
	w.opts.Regions = []string{home, second}
	must(t, w.life())
	report := w.check()
	if begins := digests(report, second)[0].Journal.First; begins != digests(report, home)[0].Journal.Last+1 {
		t.Errorf("the new Region's chain begins with record %d", begins)
	}
}

func TestRegionNoLongerConfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	w.opts.Regions = []string{home}
	must(t, w.life()) // with an event of the other Region
	if n := len(digests(w.check(), second)); n != 4 {
		t.Errorf("%d digests of the Region, want 4", n)
	}
}

func TestBucketPrefixAndTrailRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	w.opts.Bucket, w.opts.Prefix, w.opts.TrailName = "b-bucket", "", "renamed"
	must(t, w.life())
	chain := digests(w.check(), home)
	if len(chain) != 4 || chain[2].Previous.Bucket != "a-bucket" || chain[2].Previous.Object != chain[1].Object {
		t.Errorf("chain: %+v", chain)
	}
}

func TestOtherJournals(t *testing.T) {
	t.Parallel()
	other := func(w *world) {
		w.openTrail(filepath.Join(w.TempDir(), "other"))
		w.opts.Trail, w.opts.Journal = w.trail, w.found.Journal
	}
	altered := func(w *world) { w.opts.Trail = alteredTrail{w.trail} }
	shorter := func(w *world) { w.opts.Trail = shorterTrail{w.trail} }
	for _, c := range []struct {
		name   string
		change func(*world)
		accept bool
		want   string // "" if it goes on
	}{
		{"another journal", other, false, "accept the new journal"},
		{"another journal, accepted", other, true, ""},
		{"a journal that was rolled back", shorter, true, "rolled back"},
		{"a journal with another record", altered, true, "not the one that was exported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			must(t, w.life())
			c.change(w)
			w.opts.AcceptNewJournal = c.accept
			err := w.life()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			w.check()
		})
	}
}

// shorterTrail is a trail whose newest records are gone.
type shorterTrail struct{ *audit.Trail }

func (s shorterTrail) Head() journal.Head { return journal.Head{Seq: s.Trail.Head().Seq - 1} }

// alteredTrail is a trail with other hashes.
type alteredTrail struct{ *audit.Trail }

func (a alteredTrail) Records(ctx context.Context, after uint64, follow bool) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for r, err := range a.Trail.Records(ctx, after, follow) {
			r.Hash[0] ^= 1
			if !yield(r, err) {
				return
			}
		}
	}
}

// trimmedTrail is a trail that begins with a later record.
type trimmedTrail struct {
	*audit.Trail
	first uint64
}

func (tr trimmedTrail) Reader(after uint64) *audit.Reader {
	return tr.Trail.Reader(max(after, tr.first-1))
}

func TestTrailThatBeginsLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.events(home, 4)
	w.opts.Trail = trimmedTrail{w.trail, w.trail.Head().Seq - 1}
	w.written[home] = w.written[home][2:]
	w.close(w.open())
	if first := digests(w.check(), home)[0].Journal.First; first != w.trail.Head().Seq-1 {
		t.Errorf("the first digest begins with record %d", first)
	}
}

// TestWhatRetentionRemoved goes on where the newest exported record is gone.
func TestWhatRetentionRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "journal")
	w.openTrail(dir)
	w.opts.Trail, w.opts.Journal = w.trail, w.found.Journal
	must(t, w.life())
	exported := w.trail.Head().Seq
	must(t, w.trail.Close(t.Context()))
	w.openTrail(dir)
	w.events(home, 1)
	w.opts.Trail = w.trail
	if _, err := w.trail.Trim(t.Context(), exported+1); err != nil || w.trail.First() != exported+1 {
		t.Fatalf("the trail begins with record %d: %v", w.trail.First(), err)
	}
	w.close(w.open())
	w.check()
}

func TestRecordsGoneBeforeTheyWereExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.life())
	w.events(home, 4)
	w.opts.Trail = trimmedTrail{w.trail, w.trail.Head().Seq - 1}
	e := w.open()
	defer e.Close(t.Context()) //nolint:errcheck // it cannot go on
	for e.Status().LogFileError == "" {
		time.Sleep(time.Millisecond) // nothing tells
	}
	if s := e.Status(); !strings.Contains(s.LogFileError, "no longer in the journal") {
		t.Errorf("status: %+v", s)
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*world)
		want   string
	}{
		{"no trail", func(w *world) { w.opts.Trail = nil }, "a trail"},
		{"no directory", func(w *world) { w.opts.Directory = "" }, "directory"},
		{"no bucket", func(w *world) { w.opts.Bucket = "" }, "bucket"},
		{"no Region", func(w *world) { w.opts.Regions = nil }, "Region"},
		{"a Region that is none", func(w *world) { w.opts.Regions = []string{home, "a/b"} }, "a/b"},
		{"a bad name", func(w *world) { w.opts.TrailName = "x" }, "trail name"},
		{"a file for a directory", func(w *world) { w.opts.Directory = os.Args[0] }, "not a directory"},
		{"a directory in use", func(w *world) {
			e := w.open()
			w.Cleanup(func() { w.close(e) })
		}, "in use"},
		{"a state that is none", func(w *world) { w.state("{") }, "remove it"},
		{"a state of the future", func(w *world) { w.state(`{"version":2,"regions":{}}`) }, "version 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.change(w)
			if _, err := Open(w.opts); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("open: %v, want %q", err, c.want)
			}
		})
	}
}

func (w *world) state(content string) {
	must(w, os.MkdirAll(filepath.Dir(w.statePath()), 0o700))
	must(w, os.WriteFile(w.statePath(), []byte(content), 0o600))
}
