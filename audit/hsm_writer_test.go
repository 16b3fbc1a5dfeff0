package audit

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// flaky is a journal that fails while it is told to.
type flaky struct {
	appender
	mu    sync.Mutex
	fault error
}

var errHang = errors.New("append hangs until its context ends")

func (f *flaky) set(fault error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *flaky) Append(ctx context.Context, entries ...journal.Entry) (uint64, error) {
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	switch {
	case fault == nil:
		return f.appender.Append(ctx, entries...)
	case errors.Is(fault, errHang):
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return 0, fault
}

// openFlaky opens a trail whose HSM entries go to a flaky journal.
func openFlaky(t *testing.T, dir string, log hclog.Logger) (*Trail, *flaky) {
	t.Helper()
	trail := mustOpen(t, dir)
	must(t, trail.hsms.close(t.Context()))
	j := &flaky{appender: trail.journal}
	trail.hsms = newHSMWriter(j, make(map[string]hsmState), log)
	trail.hsms.start()
	return trail, j
}

var generated = HSMCommand{Function: "C_GenerateKey", Time: at, TokenObject: true}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, journal.ErrUnavailable) {
		t.Errorf("%s: %v, want ErrUnavailable", what, err)
	}
}

// Nothing is told to be durable, or lets a next command through, while an earlier
// entry is not, also if nothing new is queued.
func TestFlushStandsForEveryEarlierEntry(t *testing.T) {
	trail, j := openFlaky(t, t.TempDir(), nil)
	must(t, trail.FlushHSM(t.Context()))
	j.set(journal.ErrUnavailable)
	must(t, trail.QueueHSM("hsm-a", generated))
	for range 4 {
		wantUnavailable(t, "flush", trail.FlushHSM(t.Context()))
		wantUnavailable(t, "health", trail.Healthy())
	}
	j.set(nil)
	must(t, trail.FlushHSM(t.Context()))
	must(t, trail.Healthy())
	if got := numbers(t, trail, Query{}); len(got) != 1 {
		t.Errorf("after a flush: %v", got)
	}
}

// A start is counted once, however long it takes to be written.
func TestBootIsCountedOnce(t *testing.T) {
	dir := t.TempDir()
	trail, j := openFlaky(t, dir, nil)
	j.set(journal.ErrUnavailable)
	counter, err := trail.Boot("hsm-a")
	if counter != 1 || err != nil {
		t.Errorf("counter %d, %v", counter, err)
	}
	must(t, trail.QueueHSM("hsm-a", generated))
	for range 3 {
		wantUnavailable(t, "flush", trail.FlushHSM(t.Context()))
	}
	j.set(nil)
	must(t, trail.FlushHSM(t.Context()))
	if diff := cmp.Diff([]string{"hsm-a 0/1"}, numbers(t, trail, Query{})); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	must(t, trail.Close(t.Context()))
	if _, err := Verify(dir); err != nil {
		t.Error(err)
	}
}

func TestSequenceNumbersHaveNoGapsAfterFaults(t *testing.T) {
	dir := t.TempDir()
	trail, j := openFlaky(t, dir, nil)
	queue := func(n int) {
		for range n {
			must(t, trail.QueueHSM("hsm-a", generated))
		}
	}
	queue(1)
	must(t, trail.FlushHSM(t.Context()))
	j.set(journal.ErrUnavailable)
	for range 3 {
		queue(maxAtOnce)
		wantUnavailable(t, "flush", trail.FlushHSM(t.Context()))
	}
	j.set(nil)
	queue(1)
	must(t, trail.FlushHSM(t.Context()))
	if got := len(numbers(t, trail, Query{HSM: "hsm-a"})); got != 2+3*maxAtOnce {
		t.Errorf("%d entries, want %d", got, 2+3*maxAtOnce)
	}
	must(t, trail.Close(t.Context()))
	if _, err := Verify(dir); err != nil {
		t.Error(err)
	}
}

// One who gives up is answered at once and leaves nothing behind; the entry stays.
func TestFlushOfACallerThatIsGone(t *testing.T) {
	trail, j := openFlaky(t, t.TempDir(), nil)
	j.set(errHang)
	must(t, trail.QueueHSM("hsm-a", generated))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := trail.FlushHSM(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("flush: %v", err)
	}
	trail.hsms.mu.Lock()
	waiters, queued := len(trail.hsms.waiters), len(trail.hsms.queue)
	trail.hsms.mu.Unlock()
	if waiters != 0 || queued != 1 {
		t.Errorf("%d waiters, %d entries queued", waiters, queued)
	}
	if err := trail.hsms.close(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("close with a lost entry: %v", err)
	}
}

// An entry that cannot be written before the process ends is in its log at least.
func TestLostEntriesAreLogged(t *testing.T) {
	var log strings.Builder
	trail, j := openFlaky(t, t.TempDir(), hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Error, JSONFormat: true}))
	j.set(journal.ErrUnavailable)
	must(t, trail.QueueHSM("hsm-a", generated))
	wantUnavailable(t, "Close", trail.Close(t.Context()))
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `C_GenerateKey`) || !strings.Contains(got, `\"sequenceNo\":0`) {
		t.Errorf("log: %s", got)
	}
	if err := trail.QueueHSM("hsm-a", generated); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("QueueHSM after Close: %v", err)
	}
	if _, err := trail.Boot("hsm-a"); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Boot after Close: %v", err)
	}
}

// What is refused is refused at once: in the queue it would block all that follow.
func TestRefusedHSMEntries(t *testing.T) {
	trail := mustOpen(t, t.TempDir())
	for _, id := range []string{"", strings.Repeat("x", maxHSMID+1), "\xff"} {
		if err := trail.QueueHSM(id, generated); err == nil {
			t.Errorf("HSM id %q: no error", id)
		}
		if _, err := trail.Boot(id); err == nil {
			t.Errorf("start of HSM %q: no error", id)
		}
	}
	if err := trail.QueueHSM("hsm-a", generated, HSMCommand{}); err == nil {
		t.Error("command without a function: no error")
	}
	must(t, trail.FlushHSM(t.Context()))
}

// The largest entries that are let in can be written.
func TestLargestHSMEntries(t *testing.T) {
	trail := mustOpen(t, t.TempDir())
	long := strings.Repeat("\x01", 2*maxEventString) // six bytes each in JSON
	id := strings.Repeat("\x01", maxHSMID)
	for range 2 * maxAtOnce {
		must(t, trail.QueueHSM(id, HSMCommand{Function: long, UserName: long, KeyLabel: long, KeyID: long, RequestID: long, Time: at}))
	}
	must(t, trail.FlushHSM(t.Context()))
	if diff := cmp.Diff(2*maxAtOnce, len(numbers(t, trail, Query{}))); diff != "" {
		t.Error(diff)
	}
}
