package server

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// Limits that are not configurable.
const (
	// MaxRequestBytes is the largest request message, in bytes, decompressed:
	// twice what the largest request of KMS (a key policy) can have.
	MaxRequestBytes = 256 << 10
	// hardMaxRequestBytes is where gRPC stops reading, and answers by itself.
	// What is between the two limits gets an error with a name, and an event.
	hardMaxRequestBytes = 2 * MaxRequestBytes
	// MaxHeaderBytes is the largest header list of a request, in bytes.
	MaxHeaderBytes = 16 << 10
	// MaxStreams is how many requests a connection may have in flight. Further
	// ones wait in the client.
	MaxStreams = 256
	// windowBytes is how much of a message that nobody reads is taken for each
	// request. It is HTTP/2's default; gRPC would let it grow to 16 MiB.
	windowBytes = 64 << 10
	// connectionWindowBytes is how much is under way on a connection.
	connectionWindowBytes = 1 << 20

	clientPatience    = 15 * time.Second
	connectionIdle    = 15 * time.Minute
	connectionAge     = time.Hour       // clients reconnect: a withdrawn CA takes effect
	connectionGrace   = 5 * time.Minute // the longest deadline; streams end then too
	keepaliveTime     = time.Minute
	keepaliveTimeout  = 20 * time.Second
	clientPingMinimum = 10 * time.Second
	healthInterval    = time.Second
)

// Config is what a server needs. The fields up to Principals are required,
// but for Regions.
type Config struct {
	// Default and Operator answer the requests. They return *keystore.Error.
	Default  Region
	Operator operatorv1.OperatorServiceServer
	// Regions answer the requests to the services of a Region that name one of them in
	// the header strongroom-region; Default answers those without the header. Nil: a
	// request with the header is refused.
	Regions map[string]Region
	// Health is nil, or why requests would fail, in words for operators. It is
	// called about every second and has to answer at once.
	Health func() error
	// Reject records a request that never reached an operation and returns the
	// error to answer, which is not err when the recording failed.
	Reject func(ctx context.Context, fullMethod string, err *keystore.Error) error
	// TLS names the files of the server's identity and of its clients' CA.
	TLS TLSFiles
	// Principals gives the principal's ARN for the URI and DNS names of client
	// certificates.
	Principals authn.Principals

	// Observer is told of requests that are refused before they reach the keystore, which
	// tells it of the others. Nil: nobody is.
	Observer keystore.Observer
	// Tracing makes a span of each request but streams. Nil: none is traced.
	Tracing trace.TracerProvider
	// Redact prints a message for the request log without its secrets. Nil: the
	// log has no messages.
	Redact func(proto.Message) string
	// Wipe overwrites the secrets of a message that is done with. Nil: they are
	// left to the garbage collector.
	Wipe func(proto.Message)
	// Logger takes the server's log; nil discards it.
	Logger hclog.Logger
	// DefaultDeadline bounds requests that bring no deadline, from their headers
	// on, and the wait for the message of a stream; 0 means 10 s.
	DefaultDeadline time.Duration
	// MaxDeadline cuts longer deadlines; 0 means 60 s.
	MaxDeadline time.Duration
	// DrainTimeout is how long requests in flight may take to finish after the
	// end of Serve's context, before they are cut off; 0 means 30 s.
	DrainTimeout time.Duration
	// MaxInFlight is how many requests are worked on at once, three quarters of
	// them for the same principal. Further ones are refused. 0 means 512.
	MaxInFlight int
	// MaxConnections is how many connections are open at once. Further ones are
	// closed. 0 means 1024.
	MaxConnections int

	// patience is how long a client may keep the server waiting, in the handshake
	// and in taking what it is sent; 0 means 15 s. Tests have less.
	patience time.Duration
}

// withDefaults returns the configuration with every field set, or an error
// that names all that is missing.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	require := func(ok bool, name string) {
		if !ok {
			errs = append(errs, errors.New("server: "+name+" is needed"))
		}
	}
	require(c.Default != nil, "Default")
	require(c.Operator != nil, "Operator")
	require(c.Health != nil, "Health")
	require(c.Reject != nil, "Reject")
	require(c.Principals != nil, "Principals")
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	c.DefaultDeadline = cmp.Or(c.DefaultDeadline, 10*time.Second)
	c.MaxDeadline = cmp.Or(c.MaxDeadline, 60*time.Second)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 512)
	c.MaxConnections = cmp.Or(c.MaxConnections, 1024)
	c.patience = cmp.Or(c.patience, clientPatience)
	require(c.DefaultDeadline > 0 && c.DefaultDeadline <= c.MaxDeadline, "a DefaultDeadline of at most MaxDeadline")
	require(c.DrainTimeout > 0, "a positive DrainTimeout")
	require(c.MaxInFlight > 0, "a positive MaxInFlight")
	require(c.MaxConnections > 0, "a positive MaxConnections")
	return c, errors.Join(errs...)
}
