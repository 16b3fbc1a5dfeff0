package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/durable"
)

// steps are the calls of the file system that Trim makes. A name that was removed may
// come back until the directory is synced.
type steps struct {
	dir     string
	saved   string // the files as they were
	fail    int    // the call that fails, from 1; 0: none
	after   bool   // it fails when it has done its work
	calls   int
	pending []string                    // removed, and not synced
	look    func(disk string, call int) // shown each directory that a power cut may leave
	t       *testing.T
}

var errStep = errors.New("the disk says no")

func (s *steps) do(work func() error) error {
	s.calls++
	if s.calls == s.fail && !s.after {
		return errStep
	}
	if err := work(); err != nil {
		return err
	}
	if s.look != nil {
		s.powerCut()
	}
	if s.calls == s.fail {
		return errStep
	}
	return nil
}

func (s *steps) remove(path string) error {
	return s.do(func() error {
		s.pending = append(s.pending, filepath.Base(path))
		return os.Remove(path)
	})
}

func (s *steps) sync(dir string) error {
	return s.do(func() error {
		s.pending = nil
		return durable.SyncDir(dir)
	})
}

// powerCut shows what the disk may have now: with or without each pending removal.
func (s *steps) powerCut() {
	for back := range 1 << len(s.pending) {
		disk := copyDir(s.t, s.dir)
		for i, name := range s.pending {
			if back&(1<<i) == 0 {
				continue
			}
			b, err := os.ReadFile(filepath.Join(s.saved, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(disk, name), b, 0o600)
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}
		s.look(disk, s.calls)
	}
}

// stepping returns a journal of five segments whose next calls are counted.
func stepping(t *testing.T) (*steps, *Journal) {
	t.Helper()
	o := fixed(t.TempDir())
	mustClose(t, rows(t, o, 4))
	s := &steps{t: t, dir: o.Dir, saved: copyDir(t, o.Dir)}
	counting := false
	o.remove = s.remove
	o.syncDir = func(dir string) error {
		if !counting {
			return durable.SyncDir(dir)
		}
		return s.sync(dir)
	}
	j, _ := mustOpen(t, o)
	mustAppend(t, j, "record 9")
	counting = true
	t.Cleanup(func() { s.fail = 0 })
	return s, j
}

// Whatever step a power cut follows, what the disk has is a journal, and goes on.
func TestPowerCutWhileTrimming(t *testing.T) {
	s, j := stepping(t)
	firsts := map[uint64]int{}
	s.look = func(disk string, call int) {
		r, err := Verify(disk)
		if err != nil || r.Last != 9 || r.Head != j.Head().Hash {
			t.Errorf("after call %d: %+v, %v", call, r, err)
		}
		firsts[r.First]++
		expectGoesOn(t, disk, 9)
	}
	mustTrim(t, j, 8)
	if want := map[uint64]int{1: 1, 3: 3, 5: 3, 7: 2}; !cmp.Equal(want, firsts) || s.calls != 6 {
		t.Errorf("after %d calls the first records %v were seen, want %v", s.calls, firsts, want)
	}
}

// A step that fails ends Trim; what it says is what is there, no power cut leaves a gap even when the
// next attempt is made, and that one completes it.
func TestFailedStepOfTrim(t *testing.T) {
	for fail := 1; fail <= 6; fail++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, after its work %v", fail, after), func(t *testing.T) {
				s, j := stepping(t)
				s.fail, s.after = fail, after
				s.look = func(disk string, call int) {
					if _, err := Verify(disk); err != nil {
						t.Errorf("after call %d: %v", call, err)
					}
				}
				got, err := j.Trim(8, nil)
				if !errors.Is(err, errStep) {
					t.Errorf("trimmed %+v, %v", got, err)
				}
				seen, readErr := collect(j.Scan(1))
				if readErr != nil && (!after || fail%2 == 0) || readErr == nil && seen[0] != fmt.Sprint("record ", j.First()) {
					t.Errorf("%q are left, %v, the first one being %d", seen, readErr, j.First())
				}
				s.fail = 0
				if got := mustTrim(t, j, 8); got.First != 7 {
					t.Errorf("trimmed %+v", got)
				}
				if len(segmentFiles(t, s.dir)) != 2 {
					t.Errorf("left: %q", segmentFiles(t, s.dir))
				}
			})
		}
	}
}
