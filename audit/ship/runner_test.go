package ship_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

func caughtUp(s ship.Status) bool { return s.LagRecords == 0 && s.LastError == "" }

// A collector that is not there at first gets everything, in order and once.
func TestAwayAtTheStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	refusing := &sink{answer: func(context.Context, []string) (*collector.ExportLogsServiceResponse, error) {
		return nil, status.Error(codes.Unavailable, "away")
	}}
	refusing.listen(t, "127.0.0.1:0")
	s.record(t, 20)
	r := s.open(t, refusing.address, true)
	if got := awaitStatus(t, r, func(s ship.Status) bool { return s.Errors > 2 }); got.Sequence != 0 || got.LagRecords < 20 || got.LastError == "" {
		t.Errorf("status while the sink is away: %+v", got)
	}
	must(t, r.Close(t.Context()))
	there := new(sink).listen(t, "127.0.0.1:0")
	r = s.open(t, there.address, true)
	s.record(t, 20)
	if diff := cmp.Diff(numbers(0, 40), there.await(t, "39")); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	awaitStatus(t, r, caughtUp)
}

// A collector that fails in the middle gets the rest when it is back. What it had taken
// without saying so comes again.
func TestAwayInTheMiddle(t *testing.T) {
	t.Parallel()
	s, calls := newSite(t), 0
	c := &sink{}
	c.answer = func(_ context.Context, ids []string) (*collector.ExportLogsServiceResponse, error) {
		if calls++; calls == 2 {
			c.mu.Lock()
			c.taken = append(c.taken, ids...)
			c.mu.Unlock()
			return nil, status.Error(codes.Unavailable, "the answer is lost")
		}
		return &collector.ExportLogsServiceResponse{}, nil
	}
	c.listen(t, "127.0.0.1:0")
	s.open(t, c.address, true)
	s.record(t, 5)
	c.await(t, "4")
	s.record(t, 5)
	c.await(t, "9")
	s.record(t, 5)
	got := c.await(t, "14")
	if len(got) <= 15 {
		t.Errorf("nothing was sent again: %v", got)
	}
	checkOrder(t, got, 15)
}

// checkOrder checks that n events came, in order but for repetitions.
func checkOrder(t *testing.T, got []string, n int) {
	t.Helper()
	var first []string
	for _, id := range got {
		if !slices.Contains(first, id) {
			first = append(first, id)
		}
	}
	if diff := cmp.Diff(numbers(0, n), first); diff != "" {
		t.Errorf("events by their first coming (-want +got):\n%s", diff)
	}
}

// A restart goes on at the cursor; an old cursor means repetition, none or one of another
// journal means everything.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, s *site, before []byte)
		want  []string
	}{
		"as it was":          {func(*testing.T, *site, []byte) {}, numbers(6, 9)},
		"an older cursor":    {func(t *testing.T, s *site, before []byte) { must(t, os.WriteFile(s.cursor(), before, 0o600)) }, numbers(3, 9)},
		"no cursor":          {func(t *testing.T, s *site, _ []byte) { must(t, os.Remove(s.cursor())) }, numbers(0, 9)},
		"damaged":            {func(t *testing.T, s *site, _ []byte) { must(t, os.WriteFile(s.cursor(), []byte(`{"ver`), 0o600)) }, numbers(0, 9)},
		"of another journal": {func(t *testing.T, s *site, _ []byte) { must(t, ship.NewCursor(journal.ID{1}).Write(s.cursor())) }, numbers(0, 9)},
		"beyond the journal": {func(t *testing.T, s *site, _ []byte) {
			c := ship.NewCursor(s.id)
			c.Sequence = 1 << 40
			must(t, c.Write(s.cursor()))
		}, numbers(0, 9)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newSite(t), new(sink).listen(t, "127.0.0.1:0")
			r := s.open(t, c.address, false)
			s.record(t, 3)
			c.await(t, "2")
			awaitStatus(t, r, caughtUp)
			before, err := os.ReadFile(s.cursor())
			must(t, err)
			s.record(t, 3)
			c.await(t, "5")
			awaitStatus(t, r, caughtUp)
			must(t, r.Close(t.Context()))
			test.spoil(t, s, before)
			c = new(sink).listen(t, "127.0.0.1:0")
			s.open(t, c.address, false)
			s.record(t, 3)
			if diff := cmp.Diff(test.want, c.await(t, "8")); diff != "" {
				t.Errorf("taken after the restart (-want +got):\n%s", diff)
			}
		})
	}
}

// refuse refuses batches with an event, as a whole, until it is told not to.
func refuse(id string, code codes.Code) *sink {
	return &sink{answer: func(_ context.Context, ids []string) (*collector.ExportLogsServiceResponse, error) {
		if slices.Contains(ids, id) {
			return nil, status.Error(code, "no such thing")
		}
		return &collector.ExportLogsServiceResponse{}, nil
	}}
}

// One record that is refused is skipped and counted; the others arrive.
func TestARefusedRecordIsSkipped(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), refuse("7", codes.InvalidArgument).listen(t, "127.0.0.1:0")
	s.record(t, 20)
	r := s.open(t, c.address, false)
	got := c.await(t, "19")
	if diff := cmp.Diff(append(numbers(0, 7), numbers(8, 20)...), got); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if got := awaitStatus(t, r, caughtUp); got.Skipped != 1 || got.Blocked || got.Sent != 19 {
		t.Errorf("status: %+v", got)
	}
}

// A required sink blocks at the record that it refuses.
func TestARefusedRecordBlocksARequiredSink(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), refuse("7", codes.InvalidArgument).listen(t, "127.0.0.1:0")
	s.record(t, 20)
	r := s.open(t, c.address, true)
	got := awaitStatus(t, r, func(s ship.Status) bool { return s.Blocked })
	if taken, err := ship.Taken(r); err != nil || taken >= s.trail.Head().Seq || got.Skipped != 0 {
		t.Errorf("taken %d, %v; %+v", taken, err, got)
	}
	if diff := cmp.Diff(numbers(0, 7), c.await(t, "6")); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

// Of a batch that was taken in part a sink that is not required gets nothing again.
func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := &sink{answer: func(_ context.Context, ids []string) (*collector.ExportLogsServiceResponse, error) {
		answer := &collector.ExportLogsServiceResponse{}
		if slices.Contains(ids, "3") {
			answer.PartialSuccess = &collector.ExportLogsPartialSuccess{RejectedLogRecords: 2, ErrorMessage: "too old"}
		}
		return answer, nil
	}}
	c.listen(t, "127.0.0.1:0")
	s.record(t, 5)
	r := s.open(t, c.address, false)
	if diff := cmp.Diff(numbers(0, 5), c.await(t, "4")); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if got := awaitStatus(t, r, caughtUp); got.Skipped != 2 || got.Sent != 3 {
		t.Errorf("status: %+v", got)
	}
}

// Nobody who records waits for a sink that does not answer, and a stop does not either.
func TestASinkThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s, called := newSite(t), make(chan struct{}, 1)
	c := &sink{answer: func(ctx context.Context, _ []string) (*collector.ExportLogsServiceResponse, error) {
		called <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	c.listen(t, "127.0.0.1:0")
	r := s.open(t, c.address, true)
	s.record(t, 1)
	<-called
	s.record(t, 500)
	if got := r.Status(); got.LagRecords < 501 || got.LagOldest <= 0 || got.Sent != 0 {
		t.Errorf("status: %+v", got)
	}
	must(t, r.Close(t.Context()))
}

// A stop does not wait for the next attempt.
func TestAStopDuringAPause(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), refuse("0", codes.Unavailable).listen(t, "127.0.0.1:0")
	client, err := otlp.New(otlp.Options{Endpoint: "http://" + c.address, Protocol: otlp.GRPC, Journal: s.id})
	must(t, err)
	r, err := ship.Open(ship.Options{Name: "otlp", Trail: s.trail, Journal: s.id, Cursor: s.cursor(), Sender: client}.Slow())
	must(t, err)
	s.record(t, 1)
	awaitStatus(t, r, func(s ship.Status) bool { return s.Errors > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, r.Close(ctx))
}

// A wrong password costs nothing: when it is put right everything comes.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := &sink{answer: func(ctx context.Context, _ []string) (*collector.ExportLogsServiceResponse, error) {
		if !slices.Equal(headers(ctx).Get("authorization"), []string{"Bearer right"}) {
			return nil, status.Error(codes.Unauthenticated, "who are you?")
		}
		return &collector.ExportLogsServiceResponse{}, nil
	}}
	c.listen(t, "127.0.0.1:0")
	file := filepath.Join(s.dir, "headers")
	must(t, os.WriteFile(file, []byte("Authorization: Bearer wrong\n"), 0o600))
	client, err := otlp.New(otlp.Options{Endpoint: "http://" + c.address, Protocol: otlp.GRPC, Journal: s.id, HeadersFile: file})
	must(t, err)
	r, err := ship.Open(ship.Options{Name: "otlp", Trail: s.trail, Journal: s.id, Cursor: s.cursor(), Sender: client}.Quick())
	must(t, err)
	defer func() { must(t, r.Close(context.Background())) }()
	s.record(t, 3)
	awaitStatus(t, r, func(s ship.Status) bool { return s.Errors > 1 })
	must(t, os.WriteFile(file, []byte("Authorization: Bearer right\n"), 0o600))
	if diff := cmp.Diff(numbers(0, 3), c.await(t, "2")); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

// Without room for the cursor the sink is served, but counts as having taken nothing.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), new(sink).listen(t, "127.0.0.1:0")
	must(t, os.MkdirAll(filepath.Dir(s.cursor()), 0o700))
	must(t, os.Symlink("/dev/full", s.cursor()+".tmp"))
	s.record(t, 3)
	r := s.open(t, c.address, true)
	c.await(t, "2")
	if got := awaitStatus(t, r, func(s ship.Status) bool { return s.Errors > 0 }); got.Sequence != 0 {
		t.Errorf("taken without a cursor: %+v", got)
	}
	s.record(t, 1) // the next attempt has room again
	c.await(t, "3")
	if got := awaitStatus(t, r, caughtUp); got.Sequence != s.trail.Head().Seq {
		t.Errorf("status: %+v", got)
	}
}

// Records that retention has removed are counted as missing, and the others arrive.
func TestRecordsThatAreGone(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), new(sink).listen(t, "127.0.0.1:0")
	r := s.open(t, c.address, false)
	s.record(t, 3)
	c.await(t, "2")
	taken := awaitStatus(t, r, caughtUp).Sequence
	must(t, r.Close(t.Context()))
	for len(s.trail.Segments()) < 3 {
		s.record(t, 500)
	}
	trimmed, err := s.trail.Trim(t.Context(), s.trail.Head().Seq)
	must(t, err)
	s.record(t, 1)
	r = s.open(t, c.address, false)
	c.await(t, numbers(s.number-1, s.number)[0])
	if got := awaitStatus(t, r, caughtUp); got.Missed != trimmed.First-1-taken {
		t.Errorf("missed %d, want those from %d to %d", got.Missed, taken+1, trimmed.First-1)
	}
}

// A sink that does not count for retention does not hold it up.
func TestTaken(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), refuse("0", codes.Unavailable).listen(t, "127.0.0.1:0")
	s.record(t, 1)
	r := s.open(t, c.address, false)
	if taken, err := ship.Taken(r); err != nil || taken <= s.trail.Head().Seq {
		t.Errorf("taken by no required sink: %d, %v", taken, err)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"https://collector.example:4317": true, "http://127.0.0.1:4318": true, "http://[::1]:1/x": true, "http://localhost:1": true,
		"http://collector.example": false, "collector:4317": false, "ftp://localhost": false, "https://user:secret@host": false, "": false,
	} {
		if _, err := ship.ParseEndpoint(text); (err == nil) != want {
			t.Errorf("endpoint %q: %v, want it allowed: %t", text, err, want)
		}
	}
}
