package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/server"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// Operations does requests of callers who have proved who they are. *server.Server is
// one.
type Operations interface {
	Invoke(ctx context.Context, r server.Request) *keystore.Error
	Follow(ctx context.Context, r server.StreamRequest) *keystore.Error
}

// Config is what a console needs; all of it but Trusted, Calls, Filters and Logger.
type Config struct {
	Access     *Access
	Operations Operations
	API        *describe.API
	// Regions are the names of all, the default one first.
	Regions []string
	// Principals gives the principal's ARN for the names of client certificates. It is asked
	// for each request.
	Principals authn.Principals
	// Trusted says whether the verified client certificate of a connection would still be
	// accepted: both may be old. It is asked for each request. Nil: none is.
	Trusted func(*tls.ConnectionState) bool
	// Health is nil, or why requests would fail. It answers at once.
	Health func() error
	// Calls are those that an HSM was asked for since the start; nil: nobody counts them.
	// Only who may describe HSMs is told.
	Calls func(hsmID string) []Call
	// Filters are the metric filters by their names.
	Filters map[string]Filter
	// Logger takes the log; nil is silence.
	Logger hclog.Logger
}

// Call is how often an HSM's library was asked for the same, with the same answer.
type Call struct {
	// Function is the C_ function, Mechanism the CKM_ name, or empty, and Result the CKR_
	// name.
	Function, Mechanism, Result string
	Count                       uint64
}

// Console answers browsers. It is safe for concurrent use.
type Console struct {
	access     *Access
	operations Operations
	api        *describe.API
	regions    []string
	principals authn.Principals
	trusted    func(*tls.ConnectionState) bool
	health     func() error
	calls      func(hsmID string) []Call
	filters    map[string]Filter
	log        hclog.Logger
	pages      pages
	assets     assets
	handler    http.Handler
	check      time.Duration // how often a stream looks after its visitor
}

// New returns a console.
func New(c Config) (*Console, error) {
	if c.Access == nil || c.Operations == nil || c.API == nil || len(c.Regions) == 0 || c.Principals == nil || c.Health == nil {
		return nil, errors.New("console: Access, Operations, API, Regions, Principals and Health are needed")
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Trusted == nil {
		c.Trusted = func(*tls.ConnectionState) bool { return false }
	}
	if c.Calls == nil {
		c.Calls = func(string) []Call { return nil }
	}
	s := &Console{
		access: c.Access, operations: c.Operations, api: c.API, regions: slices.Clone(c.Regions),
		principals: c.Principals, trusted: c.Trusted, health: c.Health, calls: c.Calls, filters: c.Filters, log: c.Logger, check: streamCheck,
	}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if s.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	s.handler = s.guarded(s.routes())
	return s, nil
}

// ServeHTTP is part of http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// routes are the pages. Whoever is not signed in sees the sign-in page and the assets.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static/", c.assets))
	mux.HandleFunc("GET /sign-in", c.showSignIn)
	mux.HandleFunc("POST /sign-in", c.signIn)
	mux.HandleFunc("POST /sign-out", c.signOut)
	for path, show := range map[string]func(*visit) view{
		"/{$}": overview, "/keys": keys, "/keys/{id}": key, "/key-stores": keyStores,
		"/hsms": hsms, "/hsms/{id}": hsm, "/events": events, "/requests/{id}": request, "/hsm-log": hsmLog, "/alarms": alarms,
	} {
		mux.HandleFunc("GET "+path, c.signedIn(show))
	}
	for path, stream := range map[string]streamer{
		"/streams/metrics": streamMetrics, "/streams/events": streamEvents, "/streams/hsm-log": streamHSMLog,
	} {
		mux.HandleFunc("GET "+path, c.streaming(stream))
	}
	mux.HandleFunc("/", c.signedIn(missing))
	return mux
}
