package audit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// restarted makes a journal of so many segments, one for each start, with three requests in
// each, and leaves it open.
func restarted(t *testing.T, dir string, segments int) *Trail {
	t.Helper()
	for n := 1; ; n++ {
		trail := mustOpen(t, dir)
		_, err := trail.Boot("hsm-a")
		must(t, err)
		for i := range 3 {
			must(t, trail.QueueHSM("hsm-a", HSMCommand{Function: "C_Encrypt", Time: at}))
			must(t, trail.RecordEvent(t.Context(), event(fmt.Sprintf("%d.%d", n, i))))
		}
		must(t, trail.FlushHSM(t.Context()))
		if n == segments {
			return trail
		}
		must(t, trail.Close(t.Context()))
	}
}

// pinsOf returns a pin of each record of a journal.
func pinsOf(t *testing.T, dir string) (pins []Pin) {
	t.Helper()
	for r, err := range journal.Read(dir, 1) {
		must(t, err)
		pins = append(pins, Pin{Seq: r.Seq, Hash: r.Hash, Source: fmt.Sprint("the note of record ", r.Seq)})
	}
	return pins
}

// What is left of trimmed trails is as good as it was: it goes on, can be verified
// and copied, and says what was removed.
func TestTrim(t *testing.T) {
	dir := t.TempDir()
	trail := restarted(t, dir, 4)
	must(t, trail.RecordIntent(t.Context(), &Intent{RequestID: "open", EventName: "CreateKey", Time: at}))
	pins := pinsOf(t, dir)
	third := trail.Segments()[2]
	size := trail.Size()

	trimmed, err := trail.Trim(t.Context(), third.First+1)
	must(t, err)
	if trimmed.Segments != 2 || trimmed.First != third.First || trail.First() != third.First || trail.Size() >= size {
		t.Errorf("trimmed %+v, first record %d, size %d of %d", trimmed, trail.First(), trail.Size(), size)
	}
	if again, err := trail.Trim(t.Context(), third.First+1); err != nil || again.Segments != 0 {
		t.Errorf("trimming again: %+v, %v", again, err)
	}
	if got := requestIDs(t, trail, Query{}); len(got) != 6 || got[0] != "3.0" {
		t.Errorf("the events %q are left, want those since 3.0", got)
	}
	must(t, trail.Close(t.Context()))

	trail = mustOpen(t, dir)
	if open := trail.UnsettledIntents(); len(open) != 1 {
		t.Errorf("open intents %+v", open)
	}
	if counter, err := trail.Boot("hsm-a"); err != nil || counter != 5 {
		t.Errorf("reboot counter %d, %v", counter, err)
	}
	must(t, trail.FlushHSM(t.Context()))
	verified, err := Verify(dir, pins...)
	must(t, err)
	removed := int(third.First - 1)
	if verified.Removed != uint64(removed) || verified.First != third.First || verified.FirstSegment != 3 ||
		verified.PinsBefore != removed-1 || verified.PinsChecked != len(pins)-removed+1 {
		t.Errorf("report %+v of %d pins, %d records removed", verified, len(pins), removed)
	}
	checked, err := check(trail.Cut(), nil)
	verified.PinsBefore, verified.PinsChecked = 0, 0
	if diff := cmp.Diff(verified, checked); diff != "" || err != nil {
		t.Errorf("checked: %v (-verified +checked):\n%s", err, diff)
	}
}

func TestChangesThatWereRemoved(t *testing.T) {
	dir := t.TempDir()
	trail := restarted(t, dir, 3)
	first := trail.Segments()[1].First
	_, err := trail.Trim(t.Context(), first)
	must(t, err)
	for after, want := range map[uint64]error{0: journal.ErrTrimmed, 1: journal.ErrTrimmed, first - 2: journal.ErrTrimmed, first - 1: nil, first: nil} {
		var got error
		for _, err := range ChangesAfter(dir, after) {
			got = err
		}
		if !errors.Is(got, want) || (got == nil) != (want == nil) {
			t.Errorf("changes after record %d, the oldest left being %d: %v, want %v", after, first, got, want)
		}
	}
}

// A segment that retention did not remove is missing, at the beginning too.
func TestMissingSegments(t *testing.T) {
	dir := t.TempDir()
	trail := restarted(t, dir, 6)
	segments := trail.Segments()
	_, err := trail.Trim(t.Context(), segments[2].First) // 3 is the oldest left
	must(t, err)
	must(t, trail.Close(t.Context()))
	tests := []struct {
		name    string
		remove  []uint64
		segment uint64
	}{
		{"the oldest", []uint64{3}, 3},
		{"the two oldest", []uint64{3, 4}, 3},
		{"all but the newest", []uint64{3, 4, 5}, 3},
		{"one in the middle", []uint64{4}, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cut := t.TempDir()
			must(t, os.CopyFS(cut, os.DirFS(dir)))
			for _, n := range test.remove {
				must(t, os.Remove(journal.SegmentFile(cut, n)))
			}
			_, _, opened := Open(Options{Dir: cut})
			_, verified := Verify(cut)
			for what, err := range map[string]error{"Open": opened, "Verify": verified} {
				var bad *journal.Corruption
				seq := segments[test.segment-1].First
				if what == "Open" && test.segment > 3 {
					seq = 0 // it does not read the segment before
				}
				if !errors.As(err, &bad) || bad.Segment != test.segment || bad.Seq != seq || bad.Reason != "segment is missing" {
					t.Errorf("%s: %v, want segment %d, record %d missing", what, err, test.segment, segments[test.segment-1].First)
				}
			}
			if left, err := os.ReadDir(cut); err != nil || len(left) != 5-len(test.remove) {
				t.Errorf("Open has left %d files, %v", len(left), err)
			}
		})
	}
	untrimmed := t.TempDir()
	must(t, restarted(t, untrimmed, 3).Close(t.Context()))
	must(t, os.Remove(journal.SegmentFile(untrimmed, 1)))
	var bad *journal.Corruption
	if _, err := Verify(untrimmed); !errors.As(err, &bad) || bad.Segment != 1 || bad.Seq != 1 {
		t.Errorf("the first segment of a journal that was never trimmed: %v", err)
	}
}

// A crash between the mark and the last removal leaves segments that are to be removed:
// they may be there, and go with the next Trim, which leaves no second mark.
func TestTrimThatWasCutOff(t *testing.T) {
	dir := t.TempDir()
	trail := restarted(t, dir, 4)
	before := trail.Segments()[2].First
	saved := t.TempDir()
	must(t, os.CopyFS(saved, os.DirFS(dir)))
	_, err := trail.Trim(t.Context(), before)
	must(t, err)
	head := trail.Head()
	for _, n := range []uint64{2, 1} { // as if it had not come to them
		b, err := os.ReadFile(journal.SegmentFile(saved, n))
		must(t, err)
		must(t, os.WriteFile(journal.SegmentFile(dir, n), b, 0o600))
		report, err := Verify(dir)
		if err != nil || report.FirstSegment != n {
			t.Errorf("with segment %d: first segment %d, %v", n, report.FirstSegment, err)
		}
	}
	must(t, trail.Close(t.Context()))
	trail = mustOpen(t, dir)
	if trail.First() != 1 {
		t.Fatalf("the oldest record is %d", trail.First())
	}
	now := trail.Head().Seq
	if trimmed, err := trail.Trim(t.Context(), before); err != nil || trimmed.First != before || now < head.Seq || trail.Head().Seq != now {
		t.Errorf("trimmed %+v, %v, head %d", trimmed, err, trail.Head().Seq)
	}
}

func TestTrimWithoutItsMark(t *testing.T) {
	trail := restarted(t, t.TempDir(), 3)
	must(t, trail.Close(t.Context()))
	if _, err := trail.Trim(t.Context(), 1<<60); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("trimming a closed trail: %v", err)
	}
	if n := trail.Segments()[0].Number; n != 1 {
		t.Errorf("segment %d is the oldest one", n)
	}
	for _, body := range []string{``, `[]`, `{}`, `{"segment":1,"firstSequence":1}`, `{"segment":3}`} {
		if err := newState().Observe(journal.Record{Kind: kindTrim, Body: []byte(body)}); err == nil {
			t.Errorf("the mark %s was taken", body)
		}
	}
}

// The marks are on disk.
func TestTrimMark(t *testing.T) {
	s := newState()
	mark := trimMark{Segment: 3, FirstSequence: 42}.appendJSON(nil)
	must(t, s.Observe(journal.Record{Kind: kindTrim, Body: mark}))
	must(t, s.Observe(journal.Record{Kind: kindTrim, Body: []byte(`{"segment":2,"firstSequence":7}`)})) // never backwards
	entries, err := s.Checkpoint()
	must(t, err)
	golden(t, "trim.json", []byte(string(mark)+"\n"+string(entries[0].Body)+"\n"))
	if !strings.Contains(string(entries[0].Body), string(mark)) {
		t.Error("the checkpoint does not repeat the mark")
	}
}
