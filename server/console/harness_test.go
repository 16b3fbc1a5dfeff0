package console

import (
	"context"
	"crypto/tls"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server"
)

const (
	alice  = "arn:aws:iam::000000000000:user/alice"
	origin = "http://127.0.0.1:7402"
)

// fixture is a console before operations that answer what a test says.
type fixture struct {
	t       *testing.T
	console *Console
	access  *Access
	cookie  *http.Cookie // of who is signed in

	mu        sync.Mutex
	clock     time.Time
	gone      map[string]bool // principals that are not there any more
	changes   int             // how often alice was made anew, or got other certificates
	withdrawn bool            // the authority of certificates
	trouble   error           // why requests cannot be answered
	answers   map[string]proto.Message
	errs      map[string]*keystore.Error
	follow    func(context.Context, server.StreamRequest) *keystore.Error
	asked     []asked
}

// asked is a request that the console has made.
type asked struct {
	method  string
	request proto.Message
	caller  keystore.Caller
}

// compiled is the description of the API, which takes a while.
var compiled = sync.OnceValues(func() (*describe.API, error) {
	return describe.Compile(
		kmsv1.File_strongroom_kms_v1_kms_proto.Services().Get(0), operatorv1.File_strongroom_operator_v1_operator_proto.Services().Get(0),
		cloudhsmv1.File_strongroom_cloudhsm_v1_cloudhsm_proto.Services().Get(0),
	)
})

func newFixture(t *testing.T) *fixture { return newFixtureAt(t, origin) }

func newFixtureAt(t *testing.T, base string) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: time.Now(), gone: map[string]bool{}, answers: map[string]proto.Message{}, errs: map[string]*keystore.Error{}}
	api, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	if f.access, err = NewAccess(base, f.identityOf); err != nil {
		t.Fatal(err)
	}
	f.access.now = f.now
	f.console, err = New(Config{
		Access: f.access, Operations: f, API: api, Regions: []string{"us-east-1", "eu-west-1"},
		Principals: func(uris, _ []string) string {
			if len(uris) > 0 && uris[0] == "spiffe://corp/alice" && !f.isGone(alice) {
				return alice
			}
			return ""
		},
		Trusted: func(*tls.ConnectionState) bool { f.mu.Lock(); defer f.mu.Unlock(); return !f.withdrawn },
		Health:  func() error { f.mu.Lock(); defer f.mu.Unlock(); return f.trouble },
		Filters: map[string]Filter{"failed-login": {HSMLog: true, Condition: "entry.rv != 0"}, "deletion": {Condition: `event.eventName == "ScheduleKeyDeletion"`}},
		Calls: func(string) []Call {
			return []Call{{"C_Encrypt", "CKM_AES_GCM", "CKR_DEVICE_ERROR", 3}, {"C_Encrypt", "CKM_AES_GCM", succeeded, 1234}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock
}

func (f *fixture) isGone(arn string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone[arn]
}

func (f *fixture) identityOf(arn string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone[arn] {
		return ""
	}
	return strconv.Itoa(f.changes)
}

// change makes another one of alice.
func (f *fixture) change() *fixture {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes++
	return f
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = f.clock.Add(d)
}

// Invoke is part of Operations.
func (f *fixture) Invoke(ctx context.Context, r server.Request) *keystore.Error {
	method := r.Method[strings.LastIndexByte(r.Method, '/')+1:]
	request := f.requestOf(r.Method)
	if err := r.Decode(request); err != nil {
		return keystore.AsError(err)
	}
	f.note(ctx, method, request)
	f.mu.Lock()
	answer, err := f.answers[method], f.errs[method]
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if answer != nil {
		r.Answer(answer)
	}
	return nil
}

// requestOf is an empty request of a method.
func (f *fixture) requestOf(method string) proto.Message {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		f.t.Errorf("%s: %v", method, err)
		return new(operatorv1.DescribeHsmsRequest)
	}
	input, err := protoregistry.GlobalTypes.FindMessageByName(found.(protoreflect.MethodDescriptor).Input().FullName())
	if err != nil {
		f.t.Errorf("%s: %v", method, err)
		return new(operatorv1.DescribeHsmsRequest)
	}
	return input.New().Interface()
}

func (f *fixture) note(ctx context.Context, method string, request proto.Message) {
	caller, _ := keystore.CallerFrom(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, asked{method, request, caller})
}

// Follow is part of Operations.
func (f *fixture) Follow(ctx context.Context, r server.StreamRequest) *keystore.Error {
	f.note(ctx, r.Method[strings.LastIndexByte(r.Method, '/')+1:], r.Message)
	if f.follow == nil {
		return &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, Message: "This server keeps no metrics."}
	}
	return f.follow(ctx, r)
}

// link makes a link of alice's, and returns its secret.
func (f *fixture) link() string {
	f.t.Helper()
	text, _, err := f.access.Link(alice)
	if err != nil {
		f.t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		f.t.Fatal(err)
	}
	return u.Query().Get(linkField)
}

// signIn signs alice in.
func (f *fixture) signIn() *fixture {
	f.t.Helper()
	res := f.post("/sign-in", url.Values{linkField: {f.link()}}, nil)
	if res.Code != http.StatusSeeOther || len(res.Result().Cookies()) != 1 {
		f.t.Fatalf("signing in: %d %s", res.Code, res.Body)
	}
	f.cookie = res.Result().Cookies()[0]
	return f
}

// get asks for a page as who is signed in.
func (f *fixture) get(path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, origin+path, http.NoBody)
	return f.serve(r, change)
}

func (f *fixture) post(path string, form url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodPost, origin+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return f.serve(r, change)
}

func (f *fixture) serve(r *http.Request, change func(*http.Request)) *httptest.ResponseRecorder {
	r.Header.Set("User-Agent", "the-test/1")
	if f.cookie != nil {
		r.AddCookie(f.cookie)
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	f.console.ServeHTTP(w, r)
	return w
}

var tags = regexp.MustCompile(`<[^>]*>`)

// text is what people read of a page.
func text(w *httptest.ResponseRecorder) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(w.Body.String(), " "))), " ")
}

var errFull = errors.New("the journal cannot be written: no space left on device")
