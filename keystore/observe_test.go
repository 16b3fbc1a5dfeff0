package keystore

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// watcher is an observer that keeps what it is told.
type watcher struct {
	mu  sync.Mutex
	all []Answered
}

// Answered implements Observer.
func (w *watcher) Answered(a Answered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, a)
}

// take returns what it was told since the last time.
func (w *watcher) take() []Answered {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.all
	w.all = nil
	return taken
}

// startObserved starts a service that is watched, on a cluster for a custom key store too.
func startObserved(t *testing.T) (*service, *testCluster, *watcher) {
	t.Helper()
	s, w := newService(t), new(watcher)
	s.initToken()
	c := s.newCluster("cluster-observed2345", newAnchor(t))
	c.perSecond = 2
	s.with = []Cluster{c}
	s.startWith(func(c *Config) { c.Observer = w })
	t.Cleanup(s.stop)
	return s, c, w
}

// Each request is observed once, however it ends.
func TestTheObserverIsToldOfEachRequest(t *testing.T) {
	t.Parallel()
	s, c, w := startObserved(t)
	key := s.createKey().KeyId
	store := s.connectedStore(c)
	inStore := s.createKeyIn(store).KeyId
	encrypt := func(as string, key *string) error {
		_, err := s.Encrypt(s.as(as), &kmsv1.EncryptRequest{KeyId: key, Plaintext: []byte("x")})
		return err
	}
	replicate := func() error {
		_, err := s.ReplicateKey(s.as(admin), &kmsv1.ReplicateKeyRequest{KeyId: key, ReplicaRegion: new("eu-west-1")})
		return err
	}
	reject := func(method string, kind Kind) func() error {
		return func() error { return s.Reject(s.as(app), method, errorf(kind, "refused")) }
	}
	for name, test := range map[string]struct {
		do   func() error
		want Answered
	}{
		"an answer":      {func() error { return encrypt(app, key) }, Answered{Operation: "Encrypt"}},
		"one of a store": {func() error { return encrypt(app, inStore) }, Answered{Operation: "Encrypt", Store: store}},
		"a refusal":      {func() error { return encrypt(nobody, inStore) }, Answered{Operation: "Encrypt", Store: store, Error: "AccessDeniedException"}},
		"no such key":    {func() error { return encrypt(app, new(unknownKeyID)) }, Answered{Operation: "Encrypt", Error: "NotFoundException"}},
		"not supported":  {replicate, Answered{Operation: "ReplicateKey", Error: "UnsupportedOperationException"}},
		"no operation":   {reject("/a.service/AMethod", annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION), Answered{Error: "UnknownOperationException"}},
		"not taken":      {reject(kmsv1.KeyManagementService_Sign_FullMethodName, annotationsv1.ErrorKind_ERROR_KIND_THROTTLING), Answered{Operation: "Sign", Error: "ThrottlingException"}},
		"about a store":  {func() error { s.entry(store); return nil }, Answered{Operation: "DescribeCustomKeyStores"}},
	} {
		w.take()
		err := test.do()
		if (err != nil) != (test.want.Error != "") {
			t.Errorf("%s: %v, want %q", name, err, test.want.Error)
		}
		test.want.Region = "us-east-1"
		if diff := cmp.Diff([]Answered{test.want}, untimed(w.take())); diff != "" {
			t.Errorf("%s is observed as (-want +got):\n%s", name, diff)
		}
	}
	var last error
	for range 5 { // of which two are allowed in a second
		last = encrypt(app, inStore)
	}
	if seen := w.take(); last == nil || len(seen) != 5 || seen[4].Error != "ThrottlingException" || seen[4].Store != store {
		t.Errorf("throttled, with %v: %+v", last, seen)
	}
}

const unknownKeyID = "11111111-2222-3333-4444-555555555555"

func untimed(all []Answered) []Answered {
	all = slices.Clone(all)
	for i := range all {
		all[i].Total, all[i].Queue, all[i].HSM, all[i].Journal = 0, 0, 0, 0
	}
	return all
}

// The time of a request has its parts: a change waits for two records, and what asks the
// HSM waits for it.
func TestTheTimeOfARequestIsSplit(t *testing.T) {
	t.Parallel()
	s, _, w := startObserved(t)
	key := s.createKey().KeyId
	_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key, Plaintext: []byte("x")})
	s.must(err)
	s.describe(*key)
	seen := w.take()
	if len(seen) != 3 {
		t.Fatalf("observed: %+v", seen)
	}
	for i, asksHSM := range []bool{true, true, false} {
		a := seen[i]
		if a.Journal <= 0 || a.Total < a.Journal+a.Queue+a.HSM || (a.HSM > 0) != asksHSM || a.HSM < 0 || a.Queue < 0 {
			t.Errorf("%s: %+v", a.Operation, a)
		}
	}
}

// Nothing is allocated to be observed.
func TestObservingAllocatesNothing(t *testing.T) {
	s, _, _ := startObserved(t)
	s.observer = silent{}
	r := newRequest(s.Keystore, s.api.Method(kmsv1.KeyManagementService_Encrypt_FullMethodName), Caller{RequestID: "id"})
	allocated := testing.AllocsPerRun(1000, func() {
		r.timed("event", time.Now())
		r.answered(nil)
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

// silent is an observer that wants to know nothing.
type silent struct{}

// Answered implements Observer.
func (silent) Answered(Answered) {}

// A traced request has the operation's span, and below it those of the HSM, with the C_
// function, and of the journal. An untraced one has none.
func TestSpansOfARequest(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	recorded := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(recorded))
	ctx, front := provider.Tracer("test").Start(s.as(app), "front end")
	_, err := s.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	s.must(err)
	_, err = s.DisableKey(ctx, &kmsv1.DisableKeyRequest{KeyId: key.KeyId}) // as the user, who may not
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, "not authorized")
	front.End()
	spans := recorded.GetSpans()
	want := []string{"Encrypt < front end", "HSM < Encrypt", "C_Encrypt < HSM", "journal < Encrypt", "DisableKey < front end", "journal < DisableKey", "front end < "}
	slices.Sort(want)
	if diff := cmp.Diff(want, tree(spans)); diff != "" {
		t.Errorf("the spans (-want +got):\n%s", diff)
	}
	caller, _ := CallerFrom(ctx)
	expectAttributes(t, spans, "Encrypt", map[string]string{"aws.request_id": caller.RequestID, "aws.kms.key_arn": key.GetArn(), "user.id": app, "cloud.region": "us-east-1"})
	expectAttributes(t, spans, "DisableKey", map[string]string{"error.type": "AccessDeniedException"})
	expectAttributes(t, spans, "HSM", map[string]string{"strongroom.hsm_id": s.pool.Describe()[0].HSMID, "pkcs11.function": "C_Encrypt", "pkcs11.return_code": "CKR_OK"})
}

// tree names each span and its parent, but for the waits for a place, which need not be.
func tree(spans tracetest.SpanStubs) []string {
	var all []string
	for _, s := range spans {
		parent := ""
		for _, p := range spans {
			if p.SpanContext.SpanID() == s.Parent.SpanID() {
				parent = p.Name
			}
		}
		if s.Name != "queue" {
			all = append(all, s.Name+" < "+parent)
		}
	}
	slices.Sort(all)
	return all
}

func expectAttributes(t *testing.T, spans tracetest.SpanStubs, name string, want map[string]string) {
	t.Helper()
	i := slices.IndexFunc(spans, func(s tracetest.SpanStub) bool { return s.Name == name })
	if i < 0 {
		t.Errorf("there is no span %s", name)
		return
	}
	set := attribute.NewSet(spans[i].Attributes...)
	for key, value := range want {
		if got, _ := set.Value(attribute.Key(key)); got.AsString() != value {
			t.Errorf("%s of the span %s is %q, want %q", key, name, got.AsString(), value)
		}
	}
}
