package audit

import "testing"

// The mark of a change is as durable as its event, is kept over a restart, and
// falls only when an operator has accepted it.
func TestMetadataMarks(t *testing.T) {
	dir := t.TempDir()
	trail := mustOpen(t, dir)
	for _, c := range []struct {
		revision uint64
		accepted bool
		want     uint64
	}{
		{0, false, 0}, {7, false, 7}, {5, false, 7}, {9, false, 9}, {0, false, 9}, {4, true, 4}, {0, true, 0}, {6, false, 6},
	} {
		e := &APIEvent{EventName: "DisableKey", RequestID: "r", MetadataRevision: c.revision, MetadataAccepted: c.accepted}
		if err := trail.RecordEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got := trail.MetadataRevision(); got != c.want {
			t.Errorf("after %+v the revision is %d", c, got)
		}
	}
	for range 2 { // the second time it comes from a checkpoint alone
		if err := trail.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		trail = mustOpen(t, dir)
		if got := trail.MetadataRevision(); got != 6 {
			t.Errorf("after a restart the revision is %d, want 6", got)
		}
	}
	report, err := Verify(dir)
	if err != nil || report.MetadataRevision != 6 || report.Events != 8 {
		t.Errorf("Verify = %+v, %v", report, err)
	}
}
