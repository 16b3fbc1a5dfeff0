package keystore

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Caller is who makes a request and how the request came, as a front end has
// found out. Front ends only authenticate: whether the caller may do what it
// asks is decided here.
type Caller struct {
	// FrontEnd is the one that the request came by: FrontEndGRPC or another of them.
	FrontEnd string
	// Principal is the ARN of the authenticated principal, such as
	// "arn:aws:iam::000000000000:user/alice". Empty: the front end could not
	// say who it is. Such a request is refused, and leaves an event too.
	Principal string
	// Credential names what proved the principal, e.g. the fingerprint of a
	// client certificate. It is not secret; it stands in the event.
	Credential string
	// AccessKeyID is the access key that signed the request; empty: none did.
	AccessKeyID string
	// RequestID is the request's UUID, in the event, in HSM audit entries and
	// in the answer. NewContext fills it in when it is empty.
	RequestID string
	// SourceIP is the address that the request came from, without port: IPv4, or
	// IPv6 with its zone if it has one.
	SourceIP string
	// UserAgent is what the client calls itself.
	UserAgent string
	// TLS describes the connection; nil when it has none.
	TLS *TLS
	// Region is the Region that the request names, as it names it; empty: none,
	// and the default one is meant. Front ends hand the request to the Keystore
	// of that Region.
	Region string
	// Time is when the request came, for policies whose conditions speak of it.
	// NewContext fills it in when it is zero.
	Time time.Time
}

// TLS is what an API event tells of a request's connection.
type TLS struct {
	// Version is "TLSv1.3" or "TLSv1.2".
	Version string
	// CipherSuite is the suite's IANA name.
	CipherSuite string
	// Host is the host name that the client asked for.
	Host string
}

type callerKey struct{}

// NewContext returns a context that carries the caller, whose request id and
// time are filled in when it has none. No operation answers without a caller.
func NewContext(ctx context.Context, c Caller) context.Context {
	if c.RequestID == "" {
		c.RequestID = uuid.NewString()
	}
	if c.Time.IsZero() {
		c.Time = time.Now()
	}
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller that NewContext put into the context.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}
