package powercut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Kinds of the records that are written while a journal is trimmed.
const (
	trimmedFill byte = 1
	trimmedMark byte = 2 // its body is the number of the oldest segment left
)

func trimmedJournal(dir string) journal.Options {
	return journal.Options{Dir: dir, SegmentSize: 8 << 10, FirstSegmentSize: 8 << 10}
}

// trim is the recorded process of a journal that is written and trimmed in turns, over two
// restarts.
func (s *script) trim(ctx context.Context, pad *notepad) error {
	for range 3 {
		j, _, err := journal.Open(trimmedJournal(filepath.Join(s.Dir, siteDir)))
		if err != nil {
			return err
		}
		for i := range s.Rounds {
			seq, err := j.Append(ctx, journal.Entry{Kind: trimmedFill, Body: bytes.Repeat([]byte("fill"), 200)})
			if err == nil {
				err = pad.write(note{Operation: "Append", RequestID: strconv.FormatUint(seq, 10)})
			}
			if err == nil && i%12 == 11 {
				_, err = j.Trim(seq-5, func(oldest journal.Segment) error {
					_, err := j.Append(ctx, journal.Entry{Kind: trimmedMark, Body: strconv.AppendUint(nil, oldest.Number, 10)})
					return err
				})
			}
			if err != nil {
				return errors.Join(err, j.Close(ctx))
			}
		}
		if err := j.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

// The power fails at any moment of a journal that is written and trimmed. What the disk has is
// a journal, without a gap, with every record that was acknowledged and not to be removed, and begins
// no later than its own records say.
func TestPowerCutWhileTrimming(t *testing.T) {
	requireStrace(t)
	dir := keptOnFailure(t)
	r, err := recordTrimming(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := journal.Verify(filepath.Join(dir, siteDir)); err != nil || whole.FirstSegment < 10 {
		t.Fatalf("report %+v, %v: too little was removed", whole, err)
	}
	t.Logf("a recording of %d moments", len(r.points))
	first, runs := number(t, "STRONGROOM_POWERCUT_SEED", 1), number(t, "STRONGROOM_POWERCUT_RUNS", 40)
	for seed := first; seed < first+runs; seed++ {
		c := newCut(r.points, uint64(seed))
		if err := r.checkTrimmed(t.Context(), c, filepath.Join(t.TempDir(), siteDir)); err != nil {
			t.Errorf("seed %d, %v: %v", seed, c, err)
		}
	}
	noticed := 0
	for seed := range uint64(20) { // the order of removals is what the syncs keep
		c := newCut(r.points[len(r.points)/2:], seed)
		c.kept, c.unsynced = 0.5, func(path string) bool { return path == "." }
		if r.checkTrimmed(t.Context(), c, filepath.Join(t.TempDir(), siteDir)) != nil {
			noticed++
		}
	}
	if noticed == 0 {
		t.Error("without syncs of the directory nothing is noticed")
	}
}

// recordTrimming records a journal that is trimmed.
func recordTrimming(ctx context.Context, dir string) (*recording, error) {
	for _, name := range []string{siteDir, beforeDir} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(script{Dir: dir, Trimming: true, Rounds: 60})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, scriptFile), text, 0o600)
	}
	if err == nil {
		err = runTraced(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	return replay(dir)
}

// checkTrimmed cuts the power and looks at the journal that the disk has then.
func (r *recording) checkTrimmed(ctx context.Context, c *cut, dir string) error {
	if err := c.write(r.root, dir); err != nil {
		return err
	}
	var acknowledged uint64
	for _, n := range r.notesUntil(c.at) {
		seq, err := strconv.ParseUint(n.RequestID, 10, 64)
		if err != nil {
			return err
		}
		acknowledged = max(acknowledged, seq)
	}
	last, err := checkBeginning(dir)
	if errors.Is(err, fs.ErrNotExist) && acknowledged == 0 {
		err = nil
	}
	if err == nil && last < acknowledged {
		err = fmt.Errorf("record %d was acknowledged, and %d is the last one", acknowledged, last)
	}
	if err != nil {
		return err
	}
	j, _, err := journal.Open(trimmedJournal(dir))
	if err != nil {
		return err
	}
	_, err = j.Append(ctx, journal.Entry{Kind: trimmedFill})
	if err = errors.Join(err, j.Close(ctx)); err == nil {
		_, err = checkBeginning(dir)
	}
	return err
}

// checkBeginning verifies a journal, and that it begins no later than its records say. It returns
// the number of the last record.
func checkBeginning(dir string) (last uint64, err error) {
	begins := uint64(1)
	report, err := journal.Inspect(dir, func(rec journal.Record) error {
		if rec.Kind != trimmedMark {
			return nil
		}
		n, err := strconv.ParseUint(string(rec.Body), 10, 64)
		begins = max(begins, n)
		return err
	})
	if err == nil && report.FirstSegment > begins {
		err = fmt.Errorf("it begins with segment %d, and only those before %d were to be removed", report.FirstSegment, begins)
	}
	return report.Last, err
}
