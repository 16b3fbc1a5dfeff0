package audit

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// The check of a cut finds what Verify finds in the files.
func TestCheckerAgreesWithVerify(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		trail := mustOpen(t, dir)
		must(t, trail.RecordIntent(t.Context(), &Intent{RequestID: "a", EventName: "CreateKey", Time: at}))
		must(t, trail.RecordEvent(t.Context(), event("a")))
		_, err := trail.Boot("hsm-a")
		must(t, err)
		must(t, trail.QueueHSM("hsm-a", HSMCommand{Function: "C_GenerateKey"}))
		must(t, trail.FlushHSM(t.Context()))
		checked, err := check(trail.Cut(), nil)
		must(t, err)
		verified, err := Verify(dir)
		must(t, err)
		if diff := cmp.Diff(verified, checked); diff != "" {
			t.Errorf("checked (-verified +checked):\n%s", diff)
		}
		must(t, trail.Close(t.Context()))
	}
}

func TestCheckerReadsBodies(t *testing.T) {
	trail := mustOpen(t, t.TempDir())
	_, err := trail.journal.Append(t.Context(), journal.Entry{Kind: kindEvent, Body: []byte("no JSON")})
	must(t, err)
	var bad *journal.Corruption
	if _, err := check(trail.Cut(), nil); !errors.As(err, &bad) {
		t.Errorf("an event that is no JSON: %v, want a *journal.Corruption", err)
	}
	broken := errors.New("the source broke off")
	if _, err := check(trail.Cut(), broken); !errors.Is(err, broken) {
		t.Errorf("a source that breaks off: %v, want its error", err)
	}
}

// check checks a cut; from the middle of each segment on there is only an error, if
// there is one.
func check(c journal.Cut, broken error) (Report, error) {
	checker := NewChecker()
	for _, s := range c.Segments {
		r, err := s.Open()
		if err != nil {
			return Report{}, err
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return Report{}, err
		}
		var source io.Reader = bytes.NewReader(b)
		if broken != nil {
			source = io.MultiReader(bytes.NewReader(b[:len(b)/2]), failing{broken})
		}
		if err := checker.Segment(s.Number, s.Length, source); err != nil {
			return Report{}, err
		}
	}
	return checker.Report(), checker.Complete()
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Changes are told from requests that only read, and found over a restart.
func TestChangesAfter(t *testing.T) {
	dir := t.TempDir()
	trail := mustOpen(t, dir)
	announce := func(id, name string) {
		t.Helper()
		must(t, trail.RecordIntent(t.Context(), &Intent{RequestID: id, EventName: name, KeyARN: "arn of " + id, Time: at}))
	}
	announce("before", "CreateKey")
	must(t, trail.RecordEvent(t.Context(), event("before")))
	cut := trail.Cut().Head
	announce("slow", "DisableKey")
	announce("quick", "CreateKey")
	must(t, trail.RecordEvent(t.Context(), event("reading")))
	must(t, trail.RecordEvent(t.Context(), event("quick")))
	announce("cut off", "CreateKey")
	must(t, trail.Close(t.Context()))
	trail = mustOpen(t, dir)
	failed := event("slow")
	failed.ErrorCode = "KMSInternalException"
	must(t, trail.RecordEvent(t.Context(), failed))

	type row struct {
		ID, Name, Key, Error string
		Settled              bool
	}
	var got []row
	for c, err := range ChangesAfter(dir, cut.Seq) {
		must(t, err)
		if c.Settled == c.EventTime.IsZero() || c.Seq <= cut.Seq {
			t.Errorf("the change %+v", c)
		}
		got = append(got, row{c.RequestID, c.EventName, c.KeyARN, c.ErrorCode, c.Settled})
	}
	want := []row{
		{"quick", "CreateKey", "arn of quick", "", true},
		{"slow", "DisableKey", "arn of slow", "KMSInternalException", true},
		{"cut off", "CreateKey", "arn of cut off", "", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for c, err := range ChangesAfter(dir, trail.Cut().Head.Seq) {
		t.Errorf("after everything there is %+v, %v", c, err)
	}
	for _, err := range ChangesAfter(t.TempDir(), 0) {
		if err == nil {
			t.Error("changes were read from a directory without a journal")
		}
	}
}
