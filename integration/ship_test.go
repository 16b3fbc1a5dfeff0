package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // registers the decompressor

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// logCollector is a collector of OpenTelemetry logs.
type logCollector struct {
	collector.UnimplementedLogsServiceServer
	address string

	mu       sync.Mutex
	received []shipped
	changed  chan struct{}
}

// shipped is a log record that a collector has received.
type shipped struct {
	Sequence int64
	Body     string
}

func startCollector(t *testing.T) *logCollector {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &logCollector{address: l.Addr().String(), changed: make(chan struct{})}
	server := grpc.NewServer()
	collector.RegisterLogsServiceServer(server, c)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return c
}

// Export implements the collector's service.
func (c *logCollector) Export(_ context.Context, request *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, r := range scope.GetLogRecords() {
				c.received = append(c.received, shipped{sequenceOf(r), r.GetBody().GetStringValue()})
			}
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return &collector.ExportLogsServiceResponse{}, nil
}

func sequenceOf(r *logs.LogRecord) int64 {
	for _, a := range r.GetAttributes() {
		if a.GetKey() == "strongroom.sequence" {
			return a.GetValue().GetIntValue()
		}
	}
	return 0
}

// await waits until a record has come and returns all that have.
func (c *logCollector) await(ctx context.Context, seq uint64) ([]shipped, error) {
	for {
		c.mu.Lock()
		received, changed := slices.Clone(c.received), c.changed
		c.mu.Unlock()
		if slices.ContainsFunc(received, func(s shipped) bool { return s.Sequence == int64(seq) }) {
			return received, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("record %d has not come, but %d others: %w", seq, len(received), ctx.Err())
		}
	}
}

// configure adds sections to a site's configuration.
func configure(t *testing.T, site *harness.Site, text string) {
	t.Helper()
	f, err := os.OpenFile(site.Config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A collector gets both trails, whole and in order, from a server that is killed again and
// again while it sends. What comes twice is the same.
func TestTheTrailsReachACollector(t *testing.T) {
	t.Parallel()
	c, site := startCollector(t), newSite(t, harness.Options{})
	configure(t, site, "\naudit: {otlp: {endpoint: 'http://"+c.address+"'}}\nmetrics: {listen: '127.0.0.1:0'}\n")
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	for range 3 {
		roundTrips(t, client, key, 50)
		server.Kill()
		server = start(t, site)
		client = dial(t, site, server, harness.Admin)
	}
	roundTrips(t, client, key, 5)
	want := trails(t, client)
	received, err := c.await(within(t, time.Minute), uint64(want[len(want)-1].Sequence))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, once(t, received, want[len(want)-1].Sequence)); diff != "" {
		t.Errorf("what the collector has of the trails (-want +got):\n%s", diff)
	}
	checkScrape(t, server)
}

func roundTrips(t *testing.T, client *harness.Client, key string, n int) {
	t.Helper()
	for range n {
		if err := harness.RoundTrip(within(t, time.Minute), client, key); err != nil {
			t.Fatal(err)
		}
	}
}

// trails are both trails as the server tells them.
func trails(t *testing.T, client *harness.Client) []shipped {
	t.Helper()
	entries, err := client.HSMLog(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	events, err := client.Events(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var all []shipped
	for _, e := range events {
		all = append(all, shipped{int64(e.Sequence), e.JSON})
	}
	last := all[len(all)-1].Sequence
	for _, e := range entries {
		if int64(e.GetSequence()) < last {
			all = append(all, shipped{int64(e.GetSequence()), e.GetText()})
		}
	}
	slices.SortFunc(all, func(a, b shipped) int { return int(a.Sequence - b.Sequence) })
	return all
}

// once drops repetitions, and what comes after record last. The first of each number have to
// come in order.
func once(t *testing.T, received []shipped, last int64) []shipped {
	t.Helper()
	var all []shipped
	seen := map[int64]string{}
	for _, s := range received {
		body, again := seen[s.Sequence]
		if again && body != s.Body {
			t.Errorf("record %d came twice and not as the same", s.Sequence)
		}
		if seen[s.Sequence] = s.Body; !again && s.Sequence <= last {
			all = append(all, s)
		}
	}
	return all
}

var metricsURL = regexp.MustCompile(`http://\S+/metrics`)

// checkScrape checks that the server tells of its collector.
func checkScrape(t *testing.T, server *harness.Server) {
	t.Helper()
	line, err := server.Stderr.Await(within(t, time.Minute), server.Exited(), "metrics are served")
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, metricsURL.FindString(line), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		`(?m)^strongroom_audit_journal_head_info\{hash="[0-9a-f]{64}",journal="[0-9a-f]{32}",sequence="[0-9]+"\} 1$`,
		`(?m)^strongroom_audit_sink_sent_total\{sink="otlp"\} [1-9]`,
		`(?m)^strongroom_audit_sink_blocked\{sink="otlp"\} 0$`,
		`(?m)^strongroom_audit_journal_healthy 1$`,
	} {
		if !regexp.MustCompile(pattern).Match(body) {
			t.Errorf("the metrics have no line %s:\n%s", pattern, body)
		}
	}
}
