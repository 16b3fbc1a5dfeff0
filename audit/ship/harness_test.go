package ship_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something may take that does not fail.
const patience = 30 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// site is a trail, and where its sink's cursor is.
type site struct {
	dir    string
	trail  *audit.Trail
	id     journal.ID
	number int
}

func newSite(t *testing.T) *site {
	s := &site{dir: t.TempDir()}
	trail, recovery, err := audit.Open(audit.Options{Dir: filepath.Join(s.dir, "journal"), SegmentSize: 1 << 20})
	must(t, err)
	s.trail, s.id = trail, recovery.Journal
	t.Cleanup(func() { must(t, trail.Close(context.Background())) })
	return s
}

// record records n events, named by consecutive numbers from 0.
func (s *site) record(t *testing.T, n int) {
	t.Helper()
	for range n {
		must(t, s.trail.RecordEvent(t.Context(), &audit.APIEvent{
			EventTime: time.Now(), EventSource: "kms.amazonaws.com", EventName: "Encrypt", AWSRegion: "us-east-1",
			RequestID: fmt.Sprint(s.number), EventID: "e", RecipientAccountID: "000000000000",
		}))
		s.number++
	}
}

func (s *site) cursor() string { return filepath.Join(s.dir, "cursors", "otlp.json") }

// open begins to send to a collector. Close it, or let the test's end do so.
func (s *site) open(t *testing.T, address string, required bool) *ship.Runner {
	t.Helper()
	client, err := otlp.New(otlp.Options{Endpoint: "http://" + address, Protocol: otlp.GRPC, Journal: s.id})
	must(t, err)
	r, err := ship.Open(ship.Options{
		Name: "otlp", Required: required, Trail: s.trail, Journal: s.id, Cursor: s.cursor(), Sender: client,
	}.Quick())
	must(t, err)
	t.Cleanup(func() { must(t, r.Close(context.Background())) })
	return r
}

// sink is a collector that notes the request ids of the events that it takes.
type sink struct {
	collector.UnimplementedLogsServiceServer
	address string
	// answer, if set, is asked before anything is taken.
	answer func(ctx context.Context, ids []string) (*collector.ExportLogsServiceResponse, error)

	mu      sync.Mutex
	taken   []string
	changed chan struct{}
}

// listen starts a collector at an address; "127.0.0.1:0" is any.
func (s *sink) listen(t *testing.T, address string) *sink {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	must(t, err)
	s.address, s.changed = l.Addr().String(), make(chan struct{})
	server := grpc.NewServer()
	collector.RegisterLogsServiceServer(server, s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return s
}

func (s *sink) Export(ctx context.Context, request *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	var ids []string
	for _, r := range records(request) {
		ids = append(ids, attribute(r, "aws.request_id"))
	}
	answer := &collector.ExportLogsServiceResponse{}
	if s.answer != nil {
		var err error
		if answer, err = s.answer(ctx, ids); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, ids...)
	close(s.changed)
	s.changed = make(chan struct{})
	return answer, nil
}

func records(request *collector.ExportLogsServiceRequest) []*logs.LogRecord {
	var all []*logs.LogRecord
	for _, r := range request.GetResourceLogs() {
		for _, scoped := range r.GetScopeLogs() {
			all = append(all, scoped.GetLogRecords()...)
		}
	}
	return all
}

func attribute(r *logs.LogRecord, key string) string {
	for _, a := range r.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// await waits until the collector has taken an event.
func (s *sink) await(t *testing.T, id string) []string {
	t.Helper()
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		taken, changed := slices.Clone(s.taken), s.changed
		s.mu.Unlock()
		if slices.Contains(taken, id) {
			return taken
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("the collector has not taken event %s, but %s", id, strings.Join(taken, " "))
		}
	}
}

// awaitStatus waits until a sink's status is as wanted.
func awaitStatus(t *testing.T, r ship.Sink, want func(ship.Status) bool) ship.Status {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		status := r.Status()
		if want(status) {
			return status
		}
		if time.Now().After(end) {
			t.Fatalf("the sink's status stays %+v", status)
		}
	}
}

// headers are the headers of a request.
func headers(ctx context.Context) metadata.MD {
	md, _ := metadata.FromIncomingContext(ctx)
	return md
}

// numbers are the ids from..to-1.
func numbers(from, to int) []string {
	var ids []string
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}
