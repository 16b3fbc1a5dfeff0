package audit

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// forged makes the same requests as restarted, in another journal.
func forged(t *testing.T, segments int) string {
	t.Helper()
	dir := t.TempDir()
	must(t, restarted(t, dir, segments).Close(t.Context()))
	return dir
}

func TestPins(t *testing.T) {
	dir := t.TempDir()
	trail := restarted(t, dir, 4)
	heads := []Pin{{Seq: trail.Head().Seq, Hash: trail.Head().Hash, Source: "the head"}}
	must(t, trail.Close(t.Context()))
	trail = mustOpen(t, dir) // its header and checkpoint come behind that head
	heads = append(heads, Pin{Seq: trail.Head().Seq, Hash: trail.Head().Hash, Source: "the new head"})
	pins := pinsOf(t, dir)
	last := uint64(len(pins))
	at := func(seq uint64) Pin { return pins[seq-1] }
	other := func(seq uint64) Pin { return Pin{Seq: seq, Hash: journal.Hash{1}, Source: "another journal"} }
	beyond := Pin{Seq: last + 7, Hash: journal.Hash{1}, Source: "a later digest"}
	tests := []struct {
		name    string
		pins    []Pin
		checked int
		want    *PinError
		says    string
	}{
		{"none", nil, 0, nil, ""},
		{"all records", pins, len(pins), nil, ""},
		{"heads", heads, 2, nil, ""},
		{"in any order, and twice", []Pin{at(9), at(3), at(9)}, 3, nil, ""},
		{"beyond the last record", []Pin{at(3), beyond}, 1, &PinError{Pin: beyond, From: last + 1, To: last + 7, Missing: true}, "a later digest has record"},
		{"one that differs", []Pin{other(5)}, 0, &PinError{Pin: other(5), From: 1, To: 5}, "rewritten before or at record 5: its chain there is not what another journal says"},
		{"between good ones before and bad ones after", []Pin{at(3), at(7), other(9), other(12), beyond}, 2, &PinError{Pin: other(9), From: 8, To: 9}, "one of 8 to 9"},
		{"right behind a good one", []Pin{at(8), other(9)}, 1, &PinError{Pin: other(9), From: 9, To: 9}, "record 9 is not the one"},
		{"one that is of another journal", []Pin{at(3), other(5), at(9)}, 2, &PinError{Pin: other(5), From: 4, To: 5, Later: 9}, "another journal is not of this journal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report, err := Verify(dir, test.pins...)
			if report.PinsChecked != test.checked || report.Last != last {
				t.Errorf("report %+v, want %d pins checked and %d records", report, test.checked, last)
			}
			expectPinError(t, err, test.want, test.says)
		})
	}
}

func expectPinError(t *testing.T, err error, want *PinError, says string) {
	t.Helper()
	var got *PinError
	if errors.As(err, &got); (err == nil) != (want == nil) || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("error %v, want one that says %q", err, says)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("pin error (-want +got):\n%s", diff)
	}
}

// What no chain shows, a pin does.
func TestPinsFindWhatTheChainDoesNot(t *testing.T) {
	dir := t.TempDir()
	trail := restarted(t, dir, 3)
	must(t, trail.Close(t.Context()))
	whole := t.TempDir()
	must(t, os.CopyFS(whole, os.DirFS(dir)))
	pins := pinsOf(t, dir)
	last := uint64(len(pins))
	segment := func(n int) uint64 { return trail.Segments()[n-1].First }
	tests := []struct {
		name   string
		tamper func(t *testing.T) string
		pins   []Pin
		want   PinError
	}{
		{"rolled back to a copy", func(t *testing.T) string {
			trail := mustOpen(t, dir)
			must(t, trail.RecordEvent(t.Context(), event("later")))
			return whole
		}, []Pin{{Seq: last + 2, Source: "a digest"}}, PinError{From: last + 1, To: last + 2, Missing: true}},
		{"exchanged for another journal", func(t *testing.T) string { return forged(t, 3) }, pins[4:5], PinError{From: 1, To: 5}},
		{"another journal, trimmed", func(t *testing.T) string {
			dir := forged(t, 3)
			trail := mustOpen(t, dir)
			_, err := trail.Trim(t.Context(), segment(2))
			must(t, err)
			return dir
		}, []Pin{pins[2], pins[segment(2)]}, PinError{From: 1, To: segment(2) + 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tampered := test.tamper(t)
			if _, err := Verify(tampered); err != nil {
				t.Fatalf("without pins: %v", err)
			}
			test.want.Pin = test.pins[len(test.pins)-1]
			_, err := Verify(tampered, test.pins...)
			expectPinError(t, err, &test.want, "")
		})
	}
}

// A record that does not fit its hash is bad, and a pin that differs before it tells of an
// earlier one.
func TestPinsBesideCorruption(t *testing.T) {
	dir := t.TempDir()
	must(t, restarted(t, dir, 3).Close(t.Context()))
	pins := pinsOf(t, dir)
	path := journal.SegmentFile(dir, 3)
	b, err := os.ReadFile(path)
	must(t, err)
	b[1200] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
	report, err := Verify(dir, pins...)
	var corrupt *journal.Corruption
	var differs *PinError
	if !errors.As(err, &corrupt) || errors.As(err, &differs) || report.PinsChecked == 0 || report.PinsChecked >= len(pins) {
		t.Errorf("%v, %d of %d pins checked; want a *Corruption alone", err, report.PinsChecked, len(pins))
	}
	_, err = Verify(dir, Pin{Seq: 2, Source: "a digest"})
	if !errors.As(err, &corrupt) || !errors.As(err, &differs) || differs.To != 2 {
		t.Errorf("%v, want a *Corruption and a *PinError at record 2", err)
	}
}
