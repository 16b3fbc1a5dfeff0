package journal

import (
	"errors"
	"os"
	"testing"
)

// A state that cannot take a record in is an error of the journal, each time it
// is opened: a checkpoint of such a state would hide it.
func TestRefusedRecordStaysAnError(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, fixed(dir))
	mustAppend(t, j, "good", "refused", "good")
	mustClose(t, j)
	for range 2 {
		o := fixed(dir)
		o.State = &counter{}
		_, _, err := Open(o)
		if c := wantCorruption(t, err, "Open"); c.Seq != 2 || c.Segment != 1 {
			t.Errorf("Open: %+v, want record 2", c)
		}
	}
	mustVerify(t, dir)
}

// A record that the state refuses is durable, so its caller is told so; but no
// other follows.
func TestRefusedRecordStopsAnOpenJournal(t *testing.T) {
	o := fixed(t.TempDir())
	state := &counter{}
	o.State = state
	j, _ := mustOpen(t, o)
	if seq := mustAppend(t, j, "refused"); seq != 2 {
		t.Errorf("record has number %d, want 2, behind the checkpoint", seq)
	}
	awaitHealth(t, j, false)
	for range 3 {
		_, err := j.Append(t.Context(), Entry{Body: []byte("later")})
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, errRefused) {
			t.Fatalf("Append after a refused record: %v", err)
		}
	}
	mustClose(t, j)
	if r := mustVerify(t, o.Dir); r.Last != 2 || state.checkpoints != 1 {
		t.Errorf("report %+v, %d checkpoints", r, state.checkpoints)
	}
}

// Whatever a checkpoint's size, no batch reaches beyond the segment's size: what
// lies there would be lost in a crash.
func TestLargeCheckpoints(t *testing.T) {
	const segment = 64 << 10
	largest := Options{SegmentSize: segment}.maxBatch() - batchHeaderSize - recordOverhead
	for _, width := range []int{1, minSegmentSize, minSegmentSize + 600, segment / 4, largest} {
		o := fixed(t.TempDir())
		o.SegmentSize = segment
		o.State = &counter{width: width}
		j, _ := mustOpen(t, o)
		for range 6 {
			if _, err := j.Append(t.Context(), Entry{Body: make([]byte, largest)}); err != nil {
				t.Fatalf("checkpoints of %d bytes: %v", width, err)
			}
			for _, path := range segmentFiles(t, o.Dir) {
				if info, err := os.Stat(path); err != nil || info.Size() > segment {
					t.Fatalf("checkpoints of %d bytes: %v, %v", width, info.Size(), err)
				}
			}
		}
		crashed := copyDir(t, o.Dir)
		if r := mustVerify(t, crashed); r.Last != j.Head().Seq {
			t.Errorf("checkpoints of %d bytes: last record %d, head %d", width, r.Last, j.Head().Seq)
		}
		o.Dir, o.State = crashed, &counter{width: width}
		if _, found := mustOpen(t, o); found.LastSeq != j.Head().Seq {
			t.Errorf("checkpoints of %d bytes: recovery %+v", width, found)
		}
	}
}

func TestCheckpointThatFitsNoBatch(t *testing.T) {
	o := fixed(t.TempDir())
	o.State = &counter{width: minSegmentSize}
	if _, _, err := Open(o); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Open: %v", err)
	}
}
