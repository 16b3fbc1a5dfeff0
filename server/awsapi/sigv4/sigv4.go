package sigv4

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Algorithm is the one signature algorithm that is accepted.
const Algorithm = "AWS4-HMAC-SHA256"

// Credential is what is known of an access key.
type Credential struct {
	// Secret is the secret access key.
	Secret string
	// SessionToken must be sent in X-Amz-Security-Token. With "" none may be.
	SessionToken string
	// Expires is when the session ends; zero is never.
	Expires time.Time
	// Principal is who holds the access key.
	Principal string
}

// String keeps the secret out of what is printed.
func (c Credential) String() string { return "credential of " + c.Principal }

// GoString keeps the secret out of what is printed with %#v.
func (c Credential) GoString() string { return c.String() }

// Credentials are the access keys.
type Credentials interface {
	// AccessKey returns the credential of an access key id. It is ErrUnknown that
	// there is none now; another error says that it cannot be had, and Verify
	// answers it. It is called for each request, so that a deleted key is refused at
	// once, by many goroutines at a time.
	AccessKey(ctx context.Context, id string) (Credential, error)
}

// ErrUnknown says that there is no access key of an id.
var ErrUnknown = errors.New("there is no such access key")

// Config is what a Verifier needs. Only Now may be left out.
type Config struct {
	// Credentials are the access keys.
	Credentials Credentials
	// Region says whether credentials may be scoped to a Region.
	Region func(name string) bool
	// Now tells the time; nil is time.Now.
	Now func() time.Time
}

// Verifier verifies signatures. It is safe for concurrent use.
type Verifier struct {
	config Config
	keys   keyCache
}

// New returns a Verifier.
func New(c Config) *Verifier {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Verifier{config: c}
}

// Signed is what the signature of a request proves.
type Signed struct {
	// AccessKeyID is the access key that signed.
	AccessKeyID string
	// Principal is who holds it.
	Principal string
	// Region is the one that the request was signed for.
	Region string
}

// Verify verifies the signature of a request to a service, e.g. "kms", which its
// credentials must be scoped to. Its body is read once its access key
// is known to be one: strangers' bodies are not. An *Error is for the client; another
// error is why the access key cannot be had, or that of read as it is.
func (v *Verifier) Verify(r *http.Request, service string, read func() ([]byte, error)) (Signed, error) {
	auth, err := parseAuthorization(r)
	if err != nil {
		return Signed{}, err
	}
	now := v.config.Now()
	at, err := signingTime(r.Header, now)
	if err != nil {
		return Signed{}, err
	}
	if err := auth.checkSignedHeaders(r.Header); err != nil {
		return Signed{}, err
	}
	scope, err := v.scope(auth, at, service)
	if err != nil {
		return Signed{}, err
	}
	credential, err := v.config.Credentials.AccessKey(r.Context(), scope.accessKey)
	if errors.Is(err, ErrUnknown) {
		return Signed{}, errUnknownKey
	}
	if err != nil {
		return Signed{}, fmt.Errorf("looking the access key up: %w", err) // without its id, in whose place some put the secret
	}
	body, err := read()
	if err != nil {
		return Signed{}, err
	}
	if !v.matches(r, body, signature{auth, at, scope}, credential.Secret) {
		return Signed{}, errMismatch
	}
	if err := credential.checkSession(r.Header.Get("X-Amz-Security-Token"), now); err != nil {
		return Signed{}, err
	}
	return Signed{AccessKeyID: scope.accessKey, Principal: credential.Principal, Region: scope.region}, nil
}

// checkSession checks the session token of a request that the credential signed.
func (c Credential) checkSession(token string, now time.Time) error {
	switch {
	case subtle.ConstantTimeCompare([]byte(token), []byte(c.SessionToken)) == 0:
		return errWrongToken
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return errExpiredToken
	}
	return nil
}
