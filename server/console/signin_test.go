package console

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Who is let in, and who is not.
func TestSignIn(t *testing.T) {
	for name, test := range map[string]struct {
		do     func(f *fixture) *httptest.ResponseRecorder
		status int
		want   string // part of the page
	}{
		"nobody":              {func(f *fixture) *httptest.ResponseRecorder { return f.get("/", nil) }, http.StatusUnauthorized, "strongroom console"},
		"nobody, at a stream": {func(f *fixture) *httptest.ResponseRecorder { return f.get("/streams/metrics", nil) }, http.StatusUnauthorized, "Sign in first"},
		"nobody, elsewhere":   {func(f *fixture) *httptest.ResponseRecorder { return f.get("/no/such/page", nil) }, http.StatusUnauthorized, "strongroom console"},
		"a link":              {func(f *fixture) *httptest.ResponseRecorder { return f.signIn().get("/alarms", nil) }, http.StatusOK, "user/alice"},
		"a look at a link does not use it": {func(f *fixture) *httptest.ResponseRecorder {
			secret := f.link()
			f.get("/sign-in?link="+secret, nil)
			return f.get("/sign-in?link="+secret, nil)
		}, http.StatusOK, "Sign in to this console as " + alice},
		"a used link": {func(f *fixture) *httptest.ResponseRecorder {
			secret := f.link()
			f.post("/sign-in", url.Values{linkField: {secret}}, nil)
			return f.post("/sign-in", url.Values{linkField: {secret}}, nil)
		}, http.StatusGone, "The link is not good, or no more."},
		"a look at a used link": {func(f *fixture) *httptest.ResponseRecorder {
			secret := f.link()
			f.post("/sign-in", url.Values{linkField: {secret}}, nil)
			return f.get("/sign-in?link="+secret, nil)
		}, http.StatusGone, "The link is not good, or no more."},
		"an expired link": {func(f *fixture) *httptest.ResponseRecorder {
			secret := f.link()
			f.pass(linkLife)
			return f.post("/sign-in", url.Values{linkField: {secret}}, nil)
		}, http.StatusGone, "The link is not good, or no more."},
		"a made-up link": {func(f *fixture) *httptest.ResponseRecorder {
			f.link()
			return f.post("/sign-in", url.Values{linkField: {"AAAAAAAAAAAAAAAAAAAAAAAAAA"}}, nil)
		}, http.StatusGone, "The link is not good, or no more."},
		"a link of somebody who is gone": {func(f *fixture) *httptest.ResponseRecorder {
			secret := f.link()
			f.gone[alice] = true
			return f.post("/sign-in", url.Values{linkField: {secret}}, nil)
		}, http.StatusForbidden, "is not there any more"},
		"a link of somebody who was made anew, or whose certificates are others now": {func(f *fixture) *httptest.ResponseRecorder {
			secret := f.link()
			return f.change().post("/sign-in", url.Values{linkField: {secret}}, nil)
		}, http.StatusForbidden, "is not there any more"},
		"a form of another site": {func(f *fixture) *httptest.ResponseRecorder {
			return f.post("/sign-in", url.Values{linkField: {f.link()}}, func(r *http.Request) {
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				r.Header.Set("Sec-Fetch-Mode", "navigate")
				r.Header.Set("Sec-Fetch-Dest", "document")
			})
		}, http.StatusForbidden, "cross-origin"},
		"a form of another site, in an old browser": {func(f *fixture) *httptest.ResponseRecorder {
			return f.post("/sign-in", url.Values{linkField: {f.link()}}, func(r *http.Request) {
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set("Origin", "http://evil.example")
			})
		}, http.StatusForbidden, "cross-origin"},
		"another host name": {func(f *fixture) *httptest.ResponseRecorder {
			return f.signIn().get("/", func(r *http.Request) { r.Host = "rebound.example:7402" })
		}, http.StatusMisdirectedRequest, "not known by that host name"},
		"a script of another site": {func(f *fixture) *httptest.ResponseRecorder {
			return f.signIn().get("/keys", func(r *http.Request) {
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				r.Header.Set("Sec-Fetch-Mode", "no-cors")
			})
		}, http.StatusForbidden, "other sites"},
		"a frame of another site": {func(f *fixture) *httptest.ResponseRecorder {
			return f.get("/", func(r *http.Request) {
				withCertificate("spiffe://corp/alice", f.clock.Add(time.Hour))(r)
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				r.Header.Set("Sec-Fetch-Mode", "navigate")
				r.Header.Set("Sec-Fetch-Dest", "iframe")
			})
		}, http.StatusForbidden, "other sites"},
		"a link on another site": {func(f *fixture) *httptest.ResponseRecorder {
			return f.get("/alarms", func(r *http.Request) {
				withCertificate("spiffe://corp/alice", f.clock.Add(time.Hour))(r)
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				r.Header.Set("Sec-Fetch-Mode", "navigate")
				r.Header.Set("Sec-Fetch-Dest", "document")
			})
		}, http.StatusOK, "user/alice by certificate"},
		"a revoked principal": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn().gone[alice] = true
			return f.get("/", nil)
		}, http.StatusUnauthorized, "You are not signed in any more."},
		"a revoked principal that comes back": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn().gone[alice] = true
			f.get("/", nil)
			f.gone[alice] = false
			return f.get("/", nil)
		}, http.StatusUnauthorized, "You are not signed in any more."},
		"a principal that was made anew, or whose certificates are others now": {func(f *fixture) *httptest.ResponseRecorder {
			return f.signIn().change().get("/", nil)
		}, http.StatusUnauthorized, "You are not signed in any more."},
		"a session that is used": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn()
			for range 3 {
				f.pass(sessionIdle - time.Second)
				f.get("/alarms", nil)
			}
			return f.get("/alarms", nil)
		}, http.StatusOK, "user/alice"},
		"a session that is not used": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn().pass(sessionIdle)
			return f.get("/alarms", nil)
		}, http.StatusUnauthorized, "You are not signed in any more."},
		"a session that only its page uses": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn()
			for range 2 {
				f.pass(sessionIdle / 2)
				f.get("/alarms", func(r *http.Request) { r.Header.Set(refreshHeader, "1") })
			}
			return f.get("/alarms", nil)
		}, http.StatusUnauthorized, "You are not signed in any more."},
		"a session that is old": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn()
			for f.clock.Before(f.access.sessions.all[0].ends) {
				f.get("/alarms", nil)
				f.pass(sessionIdle / 2)
			}
			return f.get("/alarms", nil)
		}, http.StatusUnauthorized, "You are not signed in any more."},
		"signed out": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn().post("/sign-out", nil, nil)
			return f.get("/alarms", nil)
		}, http.StatusUnauthorized, "You are not signed in any more."},
		"signed out by another site": {func(f *fixture) *httptest.ResponseRecorder {
			f.signIn().post("/sign-out", nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
			return f.get("/alarms", nil)
		}, http.StatusOK, "user/alice"},
		"the sign-in page for who is signed in": {func(f *fixture) *httptest.ResponseRecorder { return f.signIn().get("/sign-in", nil) }, http.StatusSeeOther, ""},
		"a certificate": {func(f *fixture) *httptest.ResponseRecorder {
			return f.get("/alarms", withCertificate("spiffe://corp/alice", f.clock.Add(time.Hour)))
		}, http.StatusOK, "user/alice by certificate"},
		"an expired certificate": {func(f *fixture) *httptest.ResponseRecorder {
			return f.get("/alarms", withCertificate("spiffe://corp/alice", f.clock.Add(-time.Hour)))
		}, http.StatusUnauthorized, "strongroom console"},
		"a certificate of an authority that was withdrawn meanwhile": {func(f *fixture) *httptest.ResponseRecorder {
			f.withdrawn = true
			return f.get("/alarms", withCertificate("spiffe://corp/alice", f.clock.Add(time.Hour)))
		}, http.StatusUnauthorized, "strongroom console"},
		"a certificate of nobody": {func(f *fixture) *httptest.ResponseRecorder {
			return f.get("/alarms", withCertificate("spiffe://corp/mallory", f.clock.Add(time.Hour)))
		}, http.StatusUnauthorized, "of no principal that the server knows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := test.do(newFixture(t))
			if w.Code != test.status || !strings.Contains(text(w), test.want) {
				t.Errorf("answered %d %s, want %d %q", w.Code, text(w), test.status, test.want)
			}
		})
	}
}

// withCertificate has a request come over TLS with a verified certificate.
func withCertificate(uri string, notAfter time.Time) func(*http.Request) {
	return func(r *http.Request) {
		name, _ := url.Parse(uri)
		leaf := &x509.Certificate{Raw: []byte("raw"), URIs: []*url.URL{name}, NotAfter: notAfter}
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, VerifiedChains: [][]*x509.Certificate{{leaf}}}
	}
}

// The cookie is for this server and its pages alone.
func TestTheCookieOfASession(t *testing.T) {
	for base, want := range map[string]http.Cookie{
		origin:                    {Name: "strongroom-session"},
		"https://127.0.0.1:7402":  {Name: "__Host-strongroom-session", Secure: true},
		"https://localhost:7402/": {Name: "__Host-strongroom-session", Secure: true},
		"http://[::1]:7402":       {Name: "strongroom-session"},
		"https://127.0.0.2":       {Name: "__Host-strongroom-session", Secure: true},
		"http://localhost:1234":   {Name: "strongroom-session"},
		"https://[::1]:7402":      {Name: "__Host-strongroom-session", Secure: true},
	} {
		c := newFixtureAt(t, base).signIn().cookie
		if c.Name != want.Name || c.Secure != want.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 8*3600 {
			t.Errorf("%s: the cookie is %+v", base, c)
		}
	}
}

// A request says who makes it, from where, and how that is known.
func TestTheCallerOfAPage(t *testing.T) {
	f := newFixture(t).signIn()
	f.get("/keys?region=eu-west-1", nil)
	f.get("/keys?region=mars-north-1", withCertificate("spiffe://corp/alice", f.clock.Add(time.Hour)))
	first, last := f.asked[0].caller, f.asked[len(f.asked)-1].caller
	if first.FrontEnd != "console" || first.Principal != alice || first.SourceIP != "192.0.2.1" || first.UserAgent != "the-test/1" || first.Region != "eu-west-1" || first.TLS != nil {
		t.Errorf("the caller is %+v", first)
	}
	if !strings.HasPrefix(first.Credential, "console:") || strings.Contains(first.Credential, f.cookie.Value) {
		t.Errorf("the credential of a session is %q", first.Credential)
	}
	if first.RequestID == last.RequestID || first.RequestID == "" {
		t.Errorf("the request ids are %q and %q", first.RequestID, last.RequestID)
	}
	if last.Region != "us-east-1" || last.TLS == nil || last.TLS.Version != "TLSv1.3" {
		t.Errorf("the caller over TLS is %+v", last)
	}
	f.cookie = nil
	f.get("/alarms", withCertificate("spiffe://corp/alice", f.clock.Add(time.Hour)))
	if c := f.asked[len(f.asked)-1].caller.Credential; !strings.HasPrefix(c, "sha256:") {
		t.Errorf("the credential of a certificate is %q", c)
	}
}

// Who is not signed in writes nothing into the log, however often it asks.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	f, log := newFixture(t), new(bytes.Buffer)
	f.console.log = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info})
	f.post("/sign-in", url.Values{linkField: {"guessed"}}, nil)
	f.post("/sign-out", nil, nil)
	f.get("/", nil)
	if log.Len() > 0 {
		t.Errorf("the log has\n%s", log)
	}
}
