package sigv4_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// served are requests that the AWS SDK for Go signs and a real server gets, with
// what net/http moves and changes on the way.
var served = []struct {
	name, path, body string
	prepare          edit
	token            string
}{
	{name: "plain", body: decrypt},
	{name: "no body"},
	{name: "a large body", body: strings.Repeat("x", 1<<20)},
	{name: "chunked", body: decrypt, prepare: func(r *http.Request) { r.ContentLength = -1 }},
	{name: "awaiting leave", body: decrypt, prepare: set("Expect", "100-continue")},
	{name: "session token", body: decrypt, token: token},
	{name: "repeated header", body: decrypt, prepare: func(r *http.Request) { r.Header["X-Amz-Meta-A"] = []string{"b", "  a   b  ", ""} }},
	{name: "another host", body: decrypt, prepare: func(r *http.Request) { r.Host = "kms.eu-central-1.amazonaws.com" }},
	{name: "query", path: "/?b=2&a=x%20y&a=%2B&c", body: decrypt},
	{name: "long path", path: "/a%20b/c%2Fd/" + strings.Repeat("e", 100), body: decrypt},
	{name: "path beyond ASCII", path: "/%E1%88%B4/", body: decrypt},
}

func TestServed(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			k := newKeys()
			v := sigv4.New(sigv4.Config{Credentials: k, Region: func(r string) bool { return r == region }})
			s := httptest.NewUnstartedServer(verifying(v, name))
			s.EnableHTTP2 = http2
			s.StartTLS()
			defer s.Close()
			for _, test := range served {
				t.Run(test.name, func(t *testing.T) {
					k.set(accessKey, sigv4.Credential{Secret: secret, SessionToken: test.token})
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+test.path, strings.NewReader(test.body))
					if err != nil {
						t.Fatal(err)
					}
					if test.prepare != nil {
						test.prepare(r)
					}
					with := usual()
					with.token, with.at = test.token, time.Now()
					with.sign(t, r, []byte(test.body))
					expectOK(t, s.Client(), r)
				})
			}
		})
	}
}

// verifying returns a handler that answers with what Verify says.
func verifying(v *sigv4.Verifier, proto string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = v.Verify(r, "kms", reading(body))
		}
		if err != nil || r.Proto != proto {
			http.Error(w, r.Proto+": "+errText(err), http.StatusForbidden)
		}
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func expectOK(t *testing.T, c *http.Client, r *http.Request) {
	t.Helper()
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // nothing more is read
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s: %s (%v)", answer.Status, text.String(), err)
	}
}
