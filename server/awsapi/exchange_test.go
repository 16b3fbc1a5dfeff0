package awsapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/server"
	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// fakes are what is behind the endpoint.
type fakes struct {
	verify func() (sigv4.Signed, error)
	invoke func(context.Context, server.Request) *keystore.Error
}

func (f fakes) Verify(_ *http.Request, _ string, read func() ([]byte, error)) (sigv4.Signed, error) {
	if f.verify == nil {
		_, err := read()
		return sigv4.Signed{}, err
	}
	return f.verify()
}

func (f fakes) Invoke(ctx context.Context, r server.Request) *keystore.Error {
	if f.invoke == nil {
		r.Answer(new(kmsv1.ListKeysResponse))
		return nil
	}
	return f.invoke(ctx, r)
}

// endpoint is a handler before fakes, and its log.
func endpoint(t *testing.T, f fakes, arriving int) (http.Handler, *bytes.Buffer) {
	t.Helper()
	api, err := describe.Compile(kmsv1.File_strongroom_kms_v1_kms_proto.Services().ByName("KeyManagementService"))
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	h, err := NewHandler(Config{
		API: api, Operations: f, Verifier: f, MaxArriving: arriving,
		Logger: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, log
}

// listKeys is a request that any verifier may have let in.
func listKeys(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.ListKeys")
	return r
}

func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, kind string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), `"__type":"`+kind+`"`) {
		t.Errorf("answered %d %s, want %d %s", w.Code, w.Body, status, kind)
	}
}

// A page of a site whose name was made to mean this machine can sign with an access
// key that everybody knows.
func TestWebPagesAreNotAnswered(t *testing.T) {
	h, _ := endpoint(t, fakes{}, 1)
	r := listKeys(t, strings.NewReader("{}"))
	r.Header.Set("Origin", "http://rebound.example:7401")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	wantAnswer(t, w, http.StatusBadRequest, "AccessDeniedException")
}

func TestAPanicIsAnsweredAndItsValueIsNotLogged(t *testing.T) {
	for name, f := range map[string]fakes{
		"of the verifier": {verify: func() (sigv4.Signed, error) { panic("hunter2") }},
		"of the encoder": {invoke: func(_ context.Context, r server.Request) *keystore.Error {
			r.Answer(nil)
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h, log := endpoint(t, f, 1)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, listKeys(t, strings.NewReader("{}")))
			wantAnswer(t, w, http.StatusInternalServerError, "InternalFailure")
			if !strings.Contains(log.String(), "panicked") || strings.Contains(log.String(), "hunter2") {
				t.Errorf("logged:\n%s", log)
			}
		})
	}
}

// Whoever has not proved who it is does not fill the memory.
func TestOnlySoManyRequestsArriveAtOnce(t *testing.T) {
	h, _ := endpoint(t, fakes{}, 1)
	slow, sender := io.Pipe()
	first, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(first, listKeys(t, slow))
	}()
	if _, err := sender.Write([]byte("{")); err != nil { // it is being read
		t.Fatal(err)
	}
	second := httptest.NewRecorder()
	h.ServeHTTP(second, listKeys(t, strings.NewReader("{}")))
	wantAnswer(t, second, http.StatusBadRequest, "ThrottlingException")
	if _, err := sender.Write([]byte("}")); err != nil {
		t.Fatal(err)
	}
	_ = sender.Close()
	<-done
	for name, w := range map[string]*httptest.ResponseRecorder{"first": first, "third": httptest.NewRecorder()} {
		if name == "third" {
			h.ServeHTTP(w, listKeys(t, strings.NewReader("{}")))
		}
		if w.Code != http.StatusOK {
			t.Errorf("the %s request: %d %s", name, w.Code, w.Body)
		}
	}
}

// A request that is being done is not arriving any more.
func TestRequestsThatAreDoneDoNotKeepOthersFromArriving(t *testing.T) {
	var h http.Handler
	inner := httptest.NewRecorder()
	first := true
	h, _ = endpoint(t, fakes{invoke: func(_ context.Context, r server.Request) *keystore.Error {
		if first {
			first = false
			h.ServeHTTP(inner, listKeys(t, strings.NewReader("{}")))
		}
		r.Answer(new(kmsv1.ListKeysResponse))
		return nil
	}}, 1)
	h.ServeHTTP(httptest.NewRecorder(), listKeys(t, strings.NewReader("{}")))
	if inner.Code != http.StatusOK {
		t.Errorf("%d %s", inner.Code, inner.Body)
	}
}

// timedWriter is told until when a client may take its answer.
type timedWriter struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (w *timedWriter) SetWriteDeadline(t time.Time) error {
	w.until = t
	return nil
}

// An answer that is sent while its request keeps its place is taken soon, or never.
func TestALargeAnswerIsTakenSoon(t *testing.T) {
	for name, test := range map[string]struct {
		marker int
		timed  bool
	}{"small": {100, false}, "large": {bufferedAnswer, true}} {
		h, _ := endpoint(t, fakes{invoke: func(_ context.Context, r server.Request) *keystore.Error {
			r.Answer(&kmsv1.ListKeysResponse{NextMarker: new(strings.Repeat("m", test.marker))})
			return nil
		}}, 1)
		w := &timedWriter{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, listKeys(t, strings.NewReader("{}")))
		if left := time.Until(w.until); (left > 0) != test.timed || left > patience {
			t.Errorf("%s: the client has %v, status %d", name, left, w.Code)
		}
	}
}
