package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// Five segments of 100 bytes with ten records each, begun an hour apart.
func fiveSegments() (list []journal.Segment) {
	for i := range 5 {
		list = append(list, journal.Segment{Number: uint64(i) + 3, First: uint64(i)*10 + 21, Begun: start.Add(time.Duration(i) * time.Hour), Bytes: 100})
	}
	return list
}

func TestPolicy(t *testing.T) {
	tests := []struct {
		policy Policy
		now    time.Duration // since start
		want   uint64
	}{
		{Policy{}, 1000 * time.Hour, 0},
		{Policy{Age: time.Hour}, 90 * time.Minute, 0},
		{Policy{Age: time.Hour}, 2*time.Hour - 1, 0},
		{Policy{Age: time.Hour}, 2 * time.Hour, 31}, // the last record of the first is at most an hour old
		{Policy{Age: time.Hour}, 4 * time.Hour, 51},
		{Policy{Age: time.Hour}, 1000 * time.Hour, 61},
		{Policy{Size: 500}, 0, 0},
		{Policy{Size: 499}, 0, 31},
		{Policy{Size: 300}, 0, 41},
		{Policy{Size: 1}, 0, 61},
		{Policy{Age: time.Hour, Size: 300}, 2 * time.Hour, 41},
		{Policy{Age: time.Hour, Size: 450}, 3 * time.Hour, 41},
	}
	for _, test := range tests {
		if got := test.policy.before(fiveSegments(), start.Add(test.now)); got != test.want {
			t.Errorf("%+v after %v: what is before record %d goes, want %d", test.policy, test.now, got, test.want)
		}
	}
	for n := range 2 {
		if got := (Policy{Age: 1, Size: 1}).before(fiveSegments()[:n], start.Add(time.Hour)); got != 0 {
			t.Errorf("of %d segments those before record %d go", n, got)
		}
	}
}

// limit is what was taken, as a test says.
type limit struct {
	mu  sync.Mutex
	seq uint64
	err error
}

func (l *limit) set(seq uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq, l.err = seq, err
}

func (l *limit) Taken() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq, l.err
}

// trailOf returns a trail of so many segments.
func trailOf(t *testing.T, segments int) (dir string, trail *audit.Trail) {
	t.Helper()
	dir = t.TempDir()
	for n := 1; ; n++ {
		trail, _, err := audit.Open(audit.Options{Dir: dir})
		for i := range 3 {
			if err == nil {
				err = trail.RecordEvent(t.Context(), &audit.APIEvent{EventTime: start, EventName: "Encrypt", RequestID: fmt.Sprint(n, i)})
			}
		}
		if err == nil && n == segments {
			t.Cleanup(func() { _ = trail.Close(context.Background()) })
			return dir, trail
		}
		if err == nil {
			err = trail.Close(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func runner(t *testing.T, o Options) (*Runner, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	o.Logger = hclog.New(&hclog.LoggerOptions{Output: log})
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r, log
}

// Nothing goes that was not taken, and the record up to which everything was taken stays; what
// keeps the rest is logged once.
func TestLimit(t *testing.T) {
	dir, trail := trailOf(t, 5)
	segments := trail.Segments()
	taken := &limit{}
	r, log := runner(t, Options{Trail: trail, Limit: taken, Policy: Policy{Size: 1}})
	steps := []struct {
		name    string
		seq     uint64
		err     error
		oldest  uint64 // segment
		blocked string
		warned  int
	}{
		{"nothing was taken", 0, nil, 1, errNotTaken.Error(), 1},
		{"a record within the first segment", 2, nil, 1, errNotTaken.Error(), 1},
		{"the last record of the first segment", segments[1].First - 1, nil, 1, errNotTaken.Error(), 1},
		{"the first one of the second", segments[1].First, nil, 2, errNotTaken.Error(), 1},
		{"one of the third", segments[2].First + 1, nil, 3, errNotTaken.Error(), 1},
		{"not known", 1 << 60, errors.New("the digest cannot be read"), 3, "the digest cannot be read", 2},
		{"still not known", 1 << 60, errors.New("the digest cannot be read"), 3, "the digest cannot be read", 2},
		{"one of the third again", segments[2].First + 1, nil, 3, errNotTaken.Error(), 3},
		{"everything", 1 << 60, nil, 5, "", 3},
	}
	for _, step := range steps {
		taken.set(step.seq, step.err)
		r.apply(t.Context())
		if got := trail.Segments()[0].Number; got != step.oldest {
			t.Errorf("%s: segment %d is the oldest one, want %d", step.name, got, step.oldest)
		}
		if got := r.Status().Blocked; !strings.Contains(got, step.blocked) || step.blocked == "" && got != "" {
			t.Errorf("%s: blocked by %q, want %q", step.name, got, step.blocked)
		}
		if got := strings.Count(log.String(), "[WARN]"); got != step.warned {
			t.Errorf("%s: %d warnings, want %d:\n%s", step.name, got, step.warned, log)
		}
	}
	if s := r.Status(); s.Segments != 4 || s.Bytes == 0 || strings.Count(log.String(), "audit journal trimmed") != 3 {
		t.Errorf("status %+v, log:\n%s", s, log)
	}
	if report, err := audit.Verify(dir); err != nil || report.FirstSegment != 5 {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestAge(t *testing.T) {
	_, trail := trailOf(t, 4)
	now := trail.Segments()[2].Begun.Add(time.Hour)
	r, _ := runner(t, Options{Trail: trail, Limit: &limit{seq: 1 << 60}, Policy: Policy{Age: time.Hour}, now: func() time.Time { return now }})
	r.apply(t.Context())
	if got := trail.Segments()[0].Number; got != 3 {
		t.Errorf("segment %d is the oldest one, want 3", got)
	}
}

func TestFailedTrim(t *testing.T) {
	_, trail := trailOf(t, 2)
	if err := trail.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, _ := runner(t, Options{Trail: trail, Limit: &limit{seq: 1 << 60}, Policy: Policy{Size: 1}})
	r.apply(t.Context())
	if got := r.Status(); !strings.Contains(got.Blocked, "closed") || got.Segments != 0 {
		t.Errorf("status %+v of a closed trail", got)
	}
}

// Run looks at once and after each interval, and ends with its context.
func TestRun(t *testing.T) {
	_, trail := trailOf(t, 3)
	watched := watchedTrail{Trail: trail, trimmed: make(chan journal.Trimmed)}
	taken := &limit{}
	r, _ := runner(t, Options{Trail: watched, Limit: taken, Policy: Policy{Size: 1}, Every: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	if first := <-watched.trimmed; first.Segments != 0 {
		t.Errorf("trimmed %+v before anything was taken", first)
	}
	taken.set(1<<60, nil)
	second := <-watched.trimmed
	if second.Segments == 0 {
		second = <-watched.trimmed // it had asked what was taken before
	}
	if second.Segments != 2 {
		t.Errorf("trimmed %+v, want two segments", second)
	}
	cancel()
	<-done
}

// watchedTrail tells what was trimmed.
type watchedTrail struct {
	*audit.Trail
	trimmed chan journal.Trimmed
}

func (w watchedTrail) Trim(ctx context.Context, before uint64) (journal.Trimmed, error) {
	t, err := w.Trail.Trim(ctx, before)
	w.trimmed <- t
	return t, err
}

func TestNewRefuses(t *testing.T) {
	_, trail := trailOf(t, 1)
	for name, o := range map[string]Options{
		"no trail":     {Limit: &limit{}},
		"no limit":     {Trail: trail},
		"negative age": {Trail: trail, Limit: &limit{}, Policy: Policy{Age: -1}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
