package console

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore"
)

// contentPolicy lets a page load what this server serves, and nothing that stands in the
// page itself.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guarded puts in front of a handler what holds for each request: the headers that tell
// browsers what they may do with the answer, and whose requests are not answered.
func (c *Console) guarded(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer c.recovered(w)
		c.protect(w.Header())
		switch {
		case !c.access.isOurs(r.Host):
			http.Error(w, "This console is not known by that host name: see console.url in docs/configuration.md.", http.StatusMisdirectedRequest)
		case isForeign(r):
			http.Error(w, "Requests of other sites are not answered.", http.StatusForbidden)
		default:
			sameOrigin.ServeHTTP(w, r)
		}
	})
}

func (c *Console) protect(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if c.access.secure() {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// isForeign says whether another site's page asks for anything but that a window shows a
// page of ours: it has nothing to read here, and each request is work. A frame would not be
// shown, but its request brings the browser's certificate.
func isForeign(r *http.Request) bool {
	site, mode, place := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (site == "cross-site" || site == "same-site") && (mode != "navigate" || place != "document")
}

// recovered answers a request whose handling has panicked: net/http would log the value,
// which may hold a secret.
func (c *Console) recovered(w http.ResponseWriter) {
	switch v := recover(); v {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(v)
	case errPanicked:
	default:
		c.logPanic(v)
	}
	http.Error(w, "The page could not be made because of an internal fault, which is in the server's log.", http.StatusInternalServerError)
}

func (c *Console) logPanic(v any) {
	_ = keystore.LogPanic(c.log, v, "a request of a browser", uuid.NewString())
}
