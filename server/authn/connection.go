package authn

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/strongroom-kms/strongroom/keystore"
)

// connection is what a connection's requests have in common. It is found out
// once, at the end of the handshake, so that a request costs no certificate
// parsing. gRPC carries it as the AuthInfo of the peer.
type connection struct {
	credentials.TLSInfo
	// caller lacks what each request brings: id, user agent, host, and the
	// principal, which may have been made or deleted since the last one.
	caller keystore.Caller
	// uris and dns are the names in the certificate; none if it proves nothing.
	uris, dns  []string
	principals Principals
	// expires is when the certificate does; a connection may outlive it.
	expires time.Time
}

// NewTransport returns transport credentials that do what base does (which
// must be TLS) and find out, at the end of each handshake, who is calling.
func NewTransport(base credentials.TransportCredentials, p Principals) credentials.TransportCredentials {
	return &transport{TransportCredentials: base, principals: p}
}

type transport struct {
	credentials.TransportCredentials
	principals Principals
}

// ServerHandshake is part of credentials.TransportCredentials.
func (t *transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := t.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	tlsInfo, ok := info.(credentials.TLSInfo)
	if !ok {
		return conn, info, nil
	}
	described := t.describe(conn.RemoteAddr(), tlsInfo)
	if described.caller.Credential == "" {
		// It is told what is missing, and then has nothing to wait for.
		time.AfterFunc(strangerTime, func() { _ = conn.Close() })
	}
	return conn, described, nil
}

// strangerTime is how long a connection without a client certificate is kept:
// long enough to hear why it is of no use.
const strangerTime = 5 * time.Second

// Principal is the principal that the peer of a request's connection has proved
// to be, "" when it is nobody's, and whether it has proved itself with a client
// certificate at all. Unlike the Caller it costs next to nothing.
func Principal(ctx context.Context) (arn string, certified bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", false
	}
	c, ok := p.AuthInfo.(*connection)
	if !ok {
		return "", false
	}
	return c.principal(time.Now()), c.caller.Credential != ""
}

// Clone is part of credentials.TransportCredentials.
func (t *transport) Clone() credentials.TransportCredentials {
	return &transport{TransportCredentials: t.TransportCredentials.Clone(), principals: t.principals}
}

func (t *transport) describe(addr net.Addr, info credentials.TLSInfo) *connection {
	c := &connection{TLSInfo: info, caller: keystore.Caller{
		FrontEnd: keystore.FrontEndGRPC,
		SourceIP: Host(addr.String()),
		TLS: &keystore.TLS{
			Version:     VersionName(info.State.Version),
			CipherSuite: tls.CipherSuiteName(info.State.CipherSuite),
		},
	}}
	// Only a verified chain counts: a certificate that was merely shown proves
	// nothing.
	if len(info.State.VerifiedChains) == 0 {
		return c
	}
	leaf := info.State.VerifiedChains[0][0]
	sum := sha256.Sum256(leaf.Raw)
	c.caller.Credential = "sha256:" + hex.EncodeToString(sum[:])
	for _, uri := range leaf.URIs {
		c.uris = append(c.uris, uri.String())
	}
	c.dns, c.principals, c.expires = leaf.DNSNames, t.principals, leaf.NotAfter
	return c
}

// VersionName spells a TLS version as CloudTrail's tlsDetails does.
func VersionName(v uint16) string {
	switch v {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	default:
		return tls.VersionName(v)
	}
}

// Host returns the address without its port, if it has one.
func Host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
