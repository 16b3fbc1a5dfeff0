package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

func TestEverythingRecordedIsInTheFilesThatDigestsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.events(home, 3)
	e := w.open()
	w.events(second, 2)
	w.hsm("hsm-1", 2)
	w.events("mars-1", 1) // no Region of ours: goes with the home Region's
	must(t, e.Digest(t.Context()))
	w.hsm("hsm-2", 1)
	w.events(home, 1)
	w.close(e)

	report := w.check()
	head := w.trail.Head()
	status := e.Status()
	if taken, _ := e.Taken(); taken != head.Seq || status.Exported != head.Seq || status.LagRecords != 0 || status.Lag != 0 {
		t.Errorf("of %d records %d are taken: %+v", head.Seq, taken, status)
	}
	if len(report.Unnamed) > 0 || len(digests(report, home)) != 2 || len(digests(report, second)) != 2 {
		t.Errorf("report: %+v", report)
	}
	for i, d := range status.Digests {
		if newest := report.Chains[i].Newest(); d.Object != newest.Object || d.LastHash != newest.Journal.LastHash || d.LastSequence != head.Seq {
			t.Errorf("status has %+v, want %+v", d, newest)
		}
		if !strings.Contains(w.log.String(), "object="+d.Object+" lastSequence=") || !strings.Contains(w.log.String(), "lastHash="+d.LastHash) {
			t.Errorf("the log does not pin %+v:\n%s", d, w.log.String())
		}
	}
}

func TestStarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 4 {
		e := w.open()
		w.events(home, 2)
		w.events(second, 1)
		w.close(e)
	}
	report := w.check()
	for _, region := range w.opts.Regions {
		chain := digests(report, region)
		if len(chain) != 4 || chain[0].Previous != nil {
			t.Fatalf("chain of %s: %+v", region, chain)
		}
		for i, d := range chain[1:] {
			if !d.End.After(chain[i].End) || !d.Start.Equal(chain[i].End) {
				t.Errorf("digests of %s end at %v and %v", region, chain[i].End, d.End)
			}
		}
	}
}

func TestPeriods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.open()
		w.events(home, 1)
		pass(4 * time.Minute)
		if n := w.files(); n != 0 {
			t.Errorf("%d log files after 4 minutes", n)
		}
		if s := e.Status(); s.LagRecords == 0 || s.Lag != 4*time.Minute {
			t.Errorf("status after 4 minutes: %+v", s)
		}
		pass(time.Minute)
		if n := w.files(); n != 1 {
			t.Errorf("%d log files after 5 minutes", n)
		}
		if s := e.Status(); s.LagRecords != 0 || s.Lag != 0 || s.Covered != 0 || !s.LastLogFile.Equal(time.Now()) {
			t.Errorf("status after 5 minutes: %+v", s)
		}
		pass(55 * time.Minute)
		if n := len(digests(w.check(), home)); n != 1 {
			t.Errorf("%d digests after an hour", n)
		}
		pass(time.Hour)
		empty := digests(w.check(), second)[1]
		if empty.Newest != nil || empty.Journal.First != empty.Journal.Last+1 || empty.End.Sub(empty.Start) != time.Hour {
			t.Errorf("the empty digest is %+v", empty)
		}
		var members map[string]json.RawMessage
		must(t, json.Unmarshal(w.content(empty.Object), &members))
		if string(members["logFiles"]) != "[]" || string(members["oldestEventTime"]) != "null" {
			t.Errorf("the empty digest is %s", members)
		}
		w.close(e)
	})
}

// pass lets time pass, and then whatever is due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestSizes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opts.LogFileSize, w.opts.DigestSize = 2_000, 10_000
	w.events(home, 40) // of some 500 bytes
	e := w.open()
	w.close(e)
	report := w.check()
	if d, f := len(digests(report, home)), report.LogFiles; d < 2 || d > 3 || f < 8 || f > 12 {
		t.Errorf("%d digests and %d log files", d, f)
	}
}

func TestManyHSMs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range maxStreams + 3 {
		w.hsm(fmt.Sprintf("hsm-%d", i), 1)
	}
	e := w.open()
	w.close(e)
	if n := w.check().LogFiles; n != maxStreams+3 {
		t.Errorf("%d log files", n)
	}
}

func TestNoTwoDigestsEndInTheSameSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.open()
		began := time.Now()
		for range 3 {
			must(t, e.Digest(t.Context()))
		}
		w.close(e)
		chain := digests(w.check(), home)
		if len(chain) != 4 || chain[3].End.Sub(began) != 3*time.Second {
			t.Errorf("chain: %+v", chain)
		}
	})
}

func TestSignerAwayAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.open()
		w.events(home, 1)
		w.signer.set(errors.New("HSM is lost"))
		pass(time.Hour)
		w.events(home, 1)
		pass(time.Hour)
		if s := e.Status(); w.files() != 2 || s.LagRecords != 0 || s.Covered != 0 || !strings.Contains(s.DigestError, "HSM is lost") {
			t.Errorf("%d log files, %+v", w.files(), s)
		}
		if err := e.Digest(t.Context()); err == nil || !strings.Contains(err.Error(), "HSM is lost") {
			t.Errorf("a digest without the key: %v", err)
		}
		if n := strings.Count(w.log.String(), "[ERROR]"); n != 1 {
			t.Errorf("%d errors in the log:\n%s", n, w.log.String())
		}
		w.signer.set(nil)
		pass(lastRetry)
		if n := len(digests(w.check(), home)); n != 1 || e.Status().DigestError != "" {
			t.Errorf("%d digests, %+v", n, e.Status())
		}
		w.close(e)
	})
}

func TestCloseWithoutTheSigner(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(*signer)
		want string
	}{
		{"away", func(s *signer) { s.away = errors.New("HSM is lost") }, "HSM is lost"},
		{"stuck", func(s *signer) { s.stuck = true }, context.DeadlineExceeded.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e := w.open()
				w.events(home, 1)
				c.lose(w.signer)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := e.Close(ctx); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("close: %v", err)
				}
				synctest.Wait()
				if n := w.files(); n != 1 {
					t.Errorf("%d log files", n)
				}
				w.signer = newSigner(t)
				w.opts.Signer = w.signer
				w.close(w.open())
				w.check()
			})
		})
	}
}

func TestBadSignaturesAreNotWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.open()
	w.signer.forge = func(sum []byte) { sum[0] ^= 1 }
	if err := e.Digest(t.Context()); err == nil || !strings.Contains(err.Error(), "does not verify") {
		t.Errorf("digest: %v", err)
	}
	w.signer.forge = nil
	w.close(e)
	w.check()
}

func TestAnotherKeySigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.open()
	must(t, e.Digest(t.Context()))
	w.signer.between = func(s *signer) { s.rotate(t) }
	if err := e.Digest(t.Context()); err == nil || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("while the key is replaced: %v", err)
	}
	must(t, e.Digest(t.Context()))
	w.close(e)
	chain := digests(w.check(), home)
	if len(chain) != 3 || chain[0].Fingerprint == chain[1].Fingerprint || chain[1].Fingerprint != chain[2].Fingerprint {
		t.Errorf("chain: %+v", chain)
	}
	for i, k := range w.publicKeys() {
		if k.Fingerprint != chain[i].Fingerprint || cloudtrail.Fingerprint(k.Value) != k.Fingerprint {
			t.Errorf("key %d in the list is %+v", i, k)
		}
	}
}

func TestDirectoryFailsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var full atomic.Bool
		w.opts.before = func(string, string) error {
			if full.Load() {
				return errors.New("no space left")
			}
			return nil
		}
		e := w.open()
		w.events(home, 1)
		full.Store(true)
		pass(20 * time.Minute)
		if s := e.Status(); s.LagRecords == 0 || s.Lag != 20*time.Minute || !strings.Contains(s.LogFileError, "no space left") {
			t.Errorf("status: %+v", s)
		}
		if n := strings.Count(w.log.String(), "[ERROR]"); n != 1 {
			t.Errorf("%d errors in the log:\n%s", n, w.log.String())
		}
		full.Store(false)
		pass(lastPause + DefaultLogFilePeriod)
		if s := e.Status(); s.LagRecords != 0 || s.LogFileError != "" {
			t.Errorf("status: %+v", s)
		}
		w.close(e)
		w.check()
	})
}

func TestTrailClosedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.open()
	w.events(home, 2)
	must(t, w.trail.Close(t.Context()))
	w.close(e)
	w.check()
}

// TestCloseThatCannotWait wants a Close without time not to be taken for a fault.
func TestCloseThatCannotWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		e := w.open()
		w.events(home, 1)
		if err := e.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("close: %v", err)
		}
		<-e.done
		if s := e.Status(); s.LogFileError != "" {
			t.Errorf("status: %+v", s)
		}
	}
	w.close(w.open())
	w.check()
}

func TestClosedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.open()
	w.close(e)
	w.close(e)
	if err := e.Digest(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("digest: %v", err)
	}
}
