package console

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// refreshHeader is on requests that a page makes by itself, which do not prolong a session.
const refreshHeader = "Strongroom-Refresh"

// identity is who a request is from.
type identity struct {
	// principal is its ARN, credential what proved that.
	principal, credential string
	// byCertificate says that the connection's certificate did; else it was a session.
	byCertificate bool
}

// identify finds out who a request is from, as of now. A session, which somebody has asked
// for, counts before the certificate that a browser sends by itself.
func (c *Console) identify(r *http.Request, use bool) (identity, bool) {
	if v, ok := c.bySession(r, use); ok {
		return v, true
	}
	return c.byCertificate(r.TLS)
}

// bySession finds the session of the request's cookie. That of a principal who is gone, or
// has become another one, ends.
func (c *Console) bySession(r *http.Request, use bool) (identity, bool) {
	cookie, err := r.Cookie(c.access.cookie())
	if err != nil {
		return identity{}, false
	}
	now := c.access.now()
	session, ok := c.access.sessions.find(now, cookie.Value, use)
	if !ok {
		return identity{}, false
	}
	if !c.access.stands(session) {
		c.access.sessions.take(now, cookie.Value)
		return identity{}, false
	}
	return identity{principal: session.principal, credential: session.name()}, true
}

// byCertificate finds the principal of a verified client certificate, which is good as long
// as it has not expired and its authority is one that the server accepts.
func (c *Console) byCertificate(state *tls.ConnectionState) (identity, bool) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return identity{}, false
	}
	leaf := state.VerifiedChains[0][0]
	if c.access.now().After(leaf.NotAfter) || !c.trusted(state) {
		return identity{}, false
	}
	uris := make([]string, len(leaf.URIs))
	for i, u := range leaf.URIs {
		uris[i] = u.String()
	}
	principal := c.principals(uris, leaf.DNSNames)
	if principal == "" {
		return identity{}, false
	}
	sum := sha256.Sum256(leaf.Raw)
	return identity{principal: principal, credential: "sha256:" + hex.EncodeToString(sum[:]), byCertificate: true}, true
}

// caller is the Caller of requests that a visitor makes by r.
func (v identity) caller(r *http.Request, region string) keystore.Caller {
	caller := keystore.Caller{
		FrontEnd: keystore.FrontEndConsole, Principal: v.principal, Credential: v.credential,
		SourceIP: authn.Host(r.RemoteAddr), UserAgent: r.UserAgent(), Region: region, Time: time.Now(),
	}
	if s := r.TLS; s != nil {
		caller.TLS = &keystore.TLS{
			Version: authn.VersionName(s.Version), CipherSuite: tls.CipherSuiteName(s.CipherSuite), Host: authn.Host(r.Host),
		}
	}
	return caller
}
