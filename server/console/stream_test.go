package console

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server"
)

// browser reads the events of a page's stream over a real connection.
type browser struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

func (f *fixture) open(path string) *browser {
	f.t.Helper()
	s := httptest.NewServer(f.console)
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, s.URL+path, http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	r.AddCookie(f.cookie)
	res, err := s.Client().Do(r) //nolint:bodyclose // its browser closes it
	if err != nil {
		f.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		f.t.Fatalf("%s is a %s", path, got)
	}
	b := &browser{t: f.t, lines: bufio.NewScanner(res.Body), close: func() { _ = res.Body.Close(); s.Close() }}
	f.t.Cleanup(b.close)
	return b
}

// await returns the data of the next event of a name.
func (b *browser) await(name string) map[string]any {
	b.t.Helper()
	found := false
	for b.lines.Scan() {
		data, isData := strings.CutPrefix(b.lines.Text(), "data: ")
		if found && isData {
			var all map[string]any
			if err := json.Unmarshal([]byte(data), &all); err != nil {
				b.t.Fatal(err)
			}
			return all
		}
		found = b.lines.Text() == "event: "+name
	}
	b.t.Fatalf("the stream ends before there is a %s: %v", name, b.lines.Err())
	return nil
}

// waits is a stream on which nothing happens.
func waits(ctx context.Context, _ server.StreamRequest) *keystore.Error {
	<-ctx.Done()
	return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ABORTED}
}

// How a page's stream ends.
func TestStreamsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		follow func(context.Context, server.StreamRequest) *keystore.Error
		do     func(f *fixture)
		event  string
		want   map[string]any
	}{
		"signed out":        {waits, func(f *fixture) { f.post("/sign-out", nil, nil) }, "signed-out", nil},
		"session over":      {waits, func(f *fixture) { f.pass(sessionIdle) }, "signed-out", nil},
		"principal gone":    {waits, func(f *fixture) { f.mu.Lock(); f.gone[alice] = true; f.mu.Unlock() }, "signed-out", nil},
		"principal another": {waits, func(f *fixture) { f.change() }, "signed-out", nil},
		"nothing more":      {func(context.Context, server.StreamRequest) *keystore.Error { return nil }, func(*fixture) {}, "ended", nil},
		"not allowed":       {refused(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED), func(*fixture) {}, "failed", map[string]any{"denied": true, "actions": "strongroom:StreamMetrics", "temporary": false}},
		"too many streams":  {refused(annotationsv1.ErrorKind_ERROR_KIND_THROTTLING), func(*fixture) {}, "failed", map[string]any{"denied": false, "name": "ThrottlingException", "temporary": true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t).signIn()
			f.console.check, f.follow = time.Millisecond, test.follow
			b := f.open("/streams/metrics")
			b.await("ready")
			test.do(f)
			got := b.await(test.event)
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s is %v, want %v", key, got[key], want)
				}
			}
		})
	}
}

func refused(kind keystore.Kind) func(context.Context, server.StreamRequest) *keystore.Error {
	return func(context.Context, server.StreamRequest) *keystore.Error {
		return &keystore.Error{Kind: kind, Message: "no"}
	}
}

// A browser that goes ends the operation.
func TestAStreamEndsWithItsBrowser(t *testing.T) {
	f, ended := newFixture(t).signIn(), make(chan struct{})
	f.console.check = time.Millisecond
	f.follow = func(ctx context.Context, r server.StreamRequest) *keystore.Error {
		defer close(ended)
		return waits(ctx, r)
	}
	b := f.open("/streams/metrics")
	b.await("ready")
	b.close()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the operation goes on")
	}
}

// An open page hears that the server is in trouble.
func TestAStreamTellsOfTrouble(t *testing.T) {
	f := newFixture(t).signIn()
	f.console.check, f.follow = time.Millisecond, waits
	b := f.open("/streams/metrics")
	if got := b.await("health"); got["trouble"] != "" {
		t.Errorf("a server that is well is told to be %v", got)
	}
	f.mu.Lock()
	f.trouble = errFull
	f.mu.Unlock()
	for b.await("health")["trouble"] != errFull.Error() { // the next or so
	}
}

// What pages get of metrics: history, then samples, of what they show.
func TestTheStreamOfMetrics(t *testing.T) {
	series := func(name string, dimensions ...string) *operatorv1.MetricSeries {
		s := &operatorv1.MetricSeries{Namespace: new("AWS/CloudHSM"), Name: &name, Unit: new("Count")}
		for i := 0; i < len(dimensions); i += 2 {
			s.Dimensions = append(s.Dimensions, &operatorv1.MetricDimension{Name: &dimensions[i], Value: &dimensions[i+1]})
		}
		return s
	}
	at := timestamppb.New(time.Unix(1_700_000_000, 0))
	for path, want := range map[string][]string{"/streams/metrics": {"hsm-a", "hsm-b"}, "/streams/metrics?hsm=hsm-b": {"hsm-b"}} {
		f := newFixture(t).signIn()
		f.follow = func(ctx context.Context, r server.StreamRequest) *keystore.Error {
			for _, hsm := range []string{"hsm-a", "hsm-b"} {
				_ = r.Send(&operatorv1.StreamMetricsResponse{History: &operatorv1.MetricHistory{Series: series("HsmSessionCount", "HsmId", hsm), Points: []*operatorv1.MetricPoint{
					{Time: at, Sum: new(30.0), Samples: new(uint32(12))},
				}}})
			}
			_ = r.Send(&operatorv1.StreamMetricsResponse{Sample: &operatorv1.MetricSample{Time: at, Values: []*operatorv1.MetricValue{
				{Series: series("HsmSessionCount", "HsmId", "hsm-a"), Value: new(1.0)}, {Series: series("HsmSessionCount", "ClusterId", "c"), Value: new(3.0)},
				{Series: series("HsmSessionCount", "HsmId", "hsm-b"), Value: new(2.0)},
			}}})
			return nil
		}
		b := f.open(path)
		for _, hsm := range want {
			h := b.await("history")
			if got := h["series"].(map[string]any)["dimensions"].(map[string]any)["HsmId"]; got != hsm {
				t.Errorf("%s: the history is of %v, want %s", path, got, hsm)
			}
			if p := h["points"].([]any)[0].([]any); p[0] != 1.7e9 || p[1] != 2.5 || p[2] != 30.0 {
				t.Errorf("%s: a point is %v", path, p)
			}
		}
		if s := b.await("sample"); len(s["values"].([]any)) != len(want) || s["time"] != 1.7e9 {
			t.Errorf("%s: a sample is %v", path, s)
		}
	}
}

// Following a trail asks for what the page has searched for.
func TestFollowingATrailAsksForWhatThePageShows(t *testing.T) {
	f := newFixture(t).signIn()
	f.follow = func(_ context.Context, r server.StreamRequest) *keystore.Error {
		return keystore.AsError(r.Send(&operatorv1.StreamHsmLogResponse{Sequence: new(uint64(9)), HsmId: new("hsm-a"), EntryJson: new(`{"opcode":"CN_LOGIN","rv":160,"returnCode":"CKR_PIN_INCORRECT"}`)}))
	}
	if got := f.open("/streams/hsm-log?hsm=hsm-a&opcode=CN_LOGIN&outcome=failed&filter=entry.rv==160&from=2026-11-23T12:00").await("record"); got["opcode"] != "CN_LOGIN" || got["failed"] != true || got["response"] != "CKR_PIN_INCORRECT" {
		t.Errorf("a record is %v", got)
	}
	want := &operatorv1.StreamHsmLogRequest{Last: new(int32(followed)), Follow: new(true), Selector: &operatorv1.HsmLogSelector{
		HsmId: new("hsm-a"), Opcode: new("CN_LOGIN"), Failed: new(true), Filter: new("entry.rv==160"), StartTime: timestamppb.New(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)),
	}}
	if got := f.asked[len(f.asked)-1].request; !proto.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
}
