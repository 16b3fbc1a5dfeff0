package integration

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// scraped is what a scrape says: the value of each series.
type scraped map[string]float64

// scrape asks a server for its metrics.
func scrape(t *testing.T, server *harness.Server) scraped {
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
	all := scraped{}
	for line := range strings.Lines(string(body)) {
		if space := strings.LastIndexByte(line, ' '); space > 0 && line[0] != '#' {
			if all[line[:space]], err = strconv.ParseFloat(strings.TrimSpace(line[space:]), 64); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
		}
	}
	return all
}

// The metrics of requests and keys say what was asked of the server, and of nothing else.
func TestServiceMetricsFollowWhatIsAsked(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	configure(t, site, "\nmetrics: {listen: '127.0.0.1:0'}\n")
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	before := scrape(t, server)
	roundTrips(t, client, key, 5)
	stranger := dial(t, site, server, harness.Stranger)
	_, err := stranger.KMS.DescribeKey(t.Context(), &kmsv1.DescribeKeyRequest{KeyId: &key})
	_, unknown := client.KMS.DescribeKey(t.Context(), &kmsv1.DescribeKeyRequest{KeyId: new("alias/none")})
	if err == nil || unknown == nil {
		t.Fatal("answered who is nobody, and what there is not")
	}
	after := scrape(t, server)
	for series, want := range map[string]float64{
		`strongroom_requests_total{front_end="grpc",operation="Encrypt",outcome="ok"}`:                    5,
		`strongroom_requests_total{front_end="grpc",operation="Decrypt",outcome="ok"}`:                    5,
		`strongroom_requests_total{front_end="grpc",operation="CreateKey",outcome="ok"}`:                  0,
		`strongroom_requests_total{front_end="grpc",operation="DescribeKey",outcome="NotFoundException"}`: 1,
		`strongroom_request_duration_seconds_count{operation="Encrypt"}`:                                  5,
		`strongroom_request_hsm_seconds_count`:                                                            10,
		`strongroom_request_queue_seconds_count`:                                                          10,
		`strongroom_request_journal_seconds_count`:                                                        12,
		`strongroom_throttled_total{store="default"}`:                                                     0,
	} {
		if got := after[series] - before[series]; got != want {
			t.Errorf("%s grew by %v, want %v", series, got, want)
		}
	}
	expectSplit(t, before, after)
	if after["strongroom_requests_in_flight_limit"] != 512 || after["strongroom_grpc_connections"] < 1 {
		t.Errorf("in-flight limit %v, connections %v", after["strongroom_requests_in_flight_limit"], after["strongroom_grpc_connections"])
	}
	for _, use := range []string{"server", "client_ca"} {
		if left := after[`strongroom_certificate_expiry_seconds{use="`+use+`"}`]; left <= 0 {
			t.Errorf("the certificate of the %s expires in %v s", use, left)
		}
	}
}

// The metrics of keys follow within a second or two what becomes of them.
func TestKeyMetricsFollowWhatBecomesOfKeys(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	configure(t, site, "\nmetrics: {listen: '127.0.0.1:0'}\n")
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	kept, going := newKey(t, client), newKey(t, client)
	roundTrips(t, client, kept, 1)
	_, err := client.KMS.ScheduleKeyDeletion(t.Context(), &kmsv1.ScheduleKeyDeletionRequest{KeyId: &going, PendingWindowInDays: new(int32(7))})
	if err != nil {
		t.Fatal(err)
	}
	const week = 7 * 24 * 3600
	awaitScrape(t, server, func(s scraped) bool {
		left := s["strongroom_keys_pending_deletion_seconds_min"]
		return s[`strongroom_keys{state="Enabled"}`] == 1 && s[`strongroom_keys{state="PendingDeletion"}`] == 1 &&
			s["strongroom_key_gcm_invocations_ratio_max"] == 1024.0/(1<<32) && left > week-600 && left < week
	})
}

// awaitScrape scrapes until it is as wanted.
func awaitScrape(t *testing.T, server *harness.Server, wanted func(scraped) bool) {
	t.Helper()
	patience, again := within(t, time.Minute), time.NewTicker(200*time.Millisecond)
	defer again.Stop()
	for {
		s := scrape(t, server)
		if wanted(s) {
			return
		}
		select {
		case <-again.C:
		case <-patience.Done():
			t.Fatalf("the metrics are %v", s)
		}
	}
}

// expectSplit expects that the parts of the requests' time are there, and no more than all.
func expectSplit(t *testing.T, before, after scraped) {
	t.Helper()
	grown := func(series string) float64 { return after[series] - before[series] }
	var total float64
	for _, operation := range []string{"Encrypt", "Decrypt", "DescribeKey"} {
		total += grown(`strongroom_request_duration_seconds_sum{operation="` + operation + `"}`)
	}
	hsm, queue, journal := grown("strongroom_request_hsm_seconds_sum"), grown("strongroom_request_queue_seconds_sum"), grown("strongroom_request_journal_seconds_sum")
	if hsm <= 0 || queue < 0 || journal <= 0 || hsm+queue+journal > total {
		t.Errorf("of %v s the HSM took %v, the wait for it %v, the journal %v", total, hsm, queue, journal)
	}
}

// A request that comes with its client's trace is in it, down to the C_ call; and the metrics
// come to the same collector.
func TestTracesAndMetricsReachACollector(t *testing.T) {
	t.Parallel()
	c, site := startOTLPCollector(t), newSite(t, harness.Options{})
	configure(t, site, "\nopentelemetry: {endpoint: 'http://"+c.address+"', metrics_period: 1s, traces: 0.000001}\n")
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	ctx := metadata.AppendToOutgoingContext(within(t, time.Minute), "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
	if _, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("hunter2")}); err != nil {
		t.Fatal(err)
	}
	ofTrace := func() (spans []*tracev1.Span) {
		for _, s := range c.spans {
			if hex.EncodeToString(s.GetTraceId()) == traceID {
				spans = append(spans, s)
			}
		}
		return spans
	}
	err := errors.Join(
		c.await(within(t, time.Minute), "the request's spans", func() bool { return slices.ContainsFunc(ofTrace(), isServerSpan) }),
		c.await(within(t, time.Minute), "the metrics", func() bool { return c.metrics["strongroom_requests_total"] && c.metrics["strongroom_hsm_state"] }),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"C_Encrypt < HSM", "Encrypt < strongroom.kms.v1.KeyManagementService/Encrypt", "HSM < Encrypt", "journal < Encrypt",
		"strongroom.kms.v1.KeyManagementService/Encrypt < the client's",
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, spanTree(ofTrace())); diff != "" {
		t.Errorf("the spans (-want +got):\n%s", diff)
	}
}

func isServerSpan(s *tracev1.Span) bool { return s.GetKind() == tracev1.Span_SPAN_KIND_SERVER }

// spanTree names each span and its parent, but for the wait for a place at the HSM, which
// there need not be.
func spanTree(spans []*tracev1.Span) []string {
	var all []string
	for _, s := range spans {
		parent := "the client's"
		for _, p := range spans {
			if string(p.GetSpanId()) == string(s.GetParentSpanId()) {
				parent = p.GetName()
			}
		}
		if s.GetName() != "queue" {
			all = append(all, s.GetName()+" < "+parent)
		}
	}
	slices.Sort(all)
	return all
}

// A collector that is away, and then cannot be reached at the end, delays nothing.
func TestWithoutItsCollectorAServerServesAndStops(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	configure(t, site, "\nopentelemetry: {endpoint: 'http://127.0.0.1:1', metrics_period: 1s, traces: 1}\n")
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	roundTrips(t, client, newKey(t, client), 20)
	if _, err := server.Stderr.Await(within(t, time.Minute), server.Exited(), "metrics cannot be sent"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, fmt.Errorf("the server did not stop"))
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
}
