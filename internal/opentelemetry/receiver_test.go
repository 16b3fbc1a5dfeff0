package opentelemetry_test

import (
	"compress/gzip"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	metricscollector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracecollector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
)

// receiver is a collector of metrics and traces, by both protocols.
type receiver struct {
	grpc     *grpc.Server
	listener net.Listener
	http     *httptest.Server
	arrived  chan struct{} // a value for each request
	holding  chan struct{} // until it is closed no request is answered; nil: all are
	refuses  bool          // each request, quoting its Authorization at length

	mu sync.Mutex
	received
}

// received is what a collector has received.
type received struct {
	spans, authorizations, instances []string
	counters                         map[string]float64
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	r := &receiver{grpc: grpc.NewServer(), listener: l, arrived: make(chan struct{}, 1000), received: received{counters: map[string]float64{}}}
	tracecollector.RegisterTraceServiceServer(r.grpc, traceService{receiver: r})
	metricscollector.RegisterMetricsServiceServer(r.grpc, metricsService{receiver: r})
	r.http = httptest.NewServer(r)
	var serving sync.WaitGroup
	serving.Go(func() { _ = r.grpc.Serve(l) })
	t.Cleanup(func() {
		if r.holding != nil {
			close(r.holding)
		}
		r.stop()
		serving.Wait()
	})
	return r
}

// hold makes the receiver, of which nothing was asked yet, one that hangs.
func (r *receiver) hold() { r.holding = make(chan struct{}) }

// stop makes the receiver one that is away.
func (r *receiver) stop() {
	r.grpc.Stop()
	r.http.Close()
}

func (r *receiver) address(protocol string) string {
	if protocol == otlp.HTTP {
		return r.http.Listener.Addr().String()
	}
	return r.listener.Addr().String()
}

// await waits for a request.
func (r *receiver) await(ctx context.Context) error {
	select {
	case <-r.arrived:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seen is what has been received so far.
func (r *receiver) seen() received {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.received
	seen.counters = maps.Clone(seen.counters)
	return seen
}

// refusal is how requests are refused; empty: they are not.
func (r *receiver) refusal(authorization []string) string {
	if !r.refuses {
		return ""
	}
	return "may not: " + strings.Join(authorization, "") + strings.Repeat(" and so on", 5000)
}

// note notes whose a request is.
func (r *receiver) note(authorization []string, by *resource.Resource) {
	values := map[string]string{}
	for _, a := range by.GetAttributes() {
		values[a.GetKey()] = a.GetValue().GetStringValue()
	}
	r.authorizations = append(r.authorizations, authorization...)
	r.instances = append(r.instances, values["service.name"]+" "+values["service.instance.id"]+" "+values["service.version"])
	r.arrived <- struct{}{}
	if r.holding != nil {
		<-r.holding
	}
}

func (r *receiver) traces(authorization []string, q *tracecollector.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range q.GetResourceSpans() {
		r.note(authorization, of.GetResource())
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, s.GetName())
			}
		}
	}
}

func (r *receiver) metrics(authorization []string, q *metricscollector.ExportMetricsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range q.GetResourceMetrics() {
		r.note(authorization, of.GetResource())
		for _, scope := range of.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				for _, p := range m.GetSum().GetDataPoints() {
					r.counters[m.GetName()] = p.GetAsDouble()
				}
			}
		}
	}
}

type traceService struct {
	tracecollector.UnimplementedTraceServiceServer
	*receiver
}

// Export implements the collector's service.
func (s traceService) Export(ctx context.Context, q *tracecollector.ExportTraceServiceRequest) (*tracecollector.ExportTraceServiceResponse, error) {
	authorization := metadata.ValueFromIncomingContext(ctx, "authorization")
	if why := s.refusal(authorization); why != "" {
		return nil, status.Error(codes.PermissionDenied, why)
	}
	s.traces(authorization, q)
	return new(tracecollector.ExportTraceServiceResponse), nil
}

type metricsService struct {
	metricscollector.UnimplementedMetricsServiceServer
	*receiver
}

// Export implements the collector's service.
func (s metricsService) Export(ctx context.Context, q *metricscollector.ExportMetricsServiceRequest) (*metricscollector.ExportMetricsServiceResponse, error) {
	authorization := metadata.ValueFromIncomingContext(ctx, "authorization")
	if why := s.refusal(authorization); why != "" {
		return nil, status.Error(codes.PermissionDenied, why)
	}
	s.metrics(authorization, q)
	return new(metricscollector.ExportMetricsServiceResponse), nil
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	packed, err := gzip.NewReader(q.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(packed)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	authorization := q.Header["Authorization"]
	if why := r.refusal(authorization); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	switch {
	case strings.HasSuffix(q.URL.Path, "/v1/traces"):
		request := new(tracecollector.ExportTraceServiceRequest)
		err = proto.Unmarshal(body, request)
		r.traces(authorization, request)
	case strings.HasSuffix(q.URL.Path, "/v1/metrics"):
		request := new(metricscollector.ExportMetricsServiceRequest)
		err = proto.Unmarshal(body, request)
		r.metrics(authorization, request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}
