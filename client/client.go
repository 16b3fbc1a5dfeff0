package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// A connection is pinged when nothing has come for keepaliveTime, requests in
// flight or not, so that one that a firewall has forgotten is replaced before it
// is needed. The server allows a ping every 10 s.
const (
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
)

// A server that was away is connected to soon after it is back: gRPC's own
// pauses between attempts begin at a second and go up to two minutes.
const (
	connectTimeout = 10 * time.Second
	reconnectPause = 5 * time.Second
)

// Config says as whom to call and how. It needs either the three files or TLS.
type Config struct {
	// CACert is a PEM file with the authorities that may have issued the server's
	// certificate. It is read once.
	CACert string
	// ClientCert is a PEM file with the caller's certificate, which says who
	// calls, and ClientKey one with its private key. They are read again for each
	// new connection, so that a renewed certificate needs no restart; when they do
	// not load or do not fit together, those loaded before stay in use.
	ClientCert, ClientKey string
	// TLS is used in place of the files, if not nil.
	TLS *tls.Config

	// Region is the Region that calls mean, such as "eu-west-1"; empty means the
	// server's own. WithRegion chooses another for a call.
	Region string
	// UserAgent stands in the server's API events, before gRPC's own name.
	UserAgent string
	// Retries is how often a failed call may be repeated, where the package
	// comment allows it: 0 means DefaultRetries, a negative number never.
	Retries int
	// Options are further options of the connection. They win over this package's
	// own but for the credentials of the transport, which are those above, and a
	// service config from DNS, which is not asked for. Their interceptors see what
	// callers see: one call, however many attempts it took, and an *Error.
	Options []grpc.DialOption
}

// Client calls both services of one server. Its methods may be called from many
// goroutines, fail with *Error, and share one connection, which is made when
// needed and made again when lost.
type Client struct {
	// KMS is the key management service.
	KMS kmsv1.KeyManagementServiceClient
	// Operator reads the audit trails and the state of the HSMs.
	Operator operatorv1.OperatorServiceClient

	conn *grpc.ClientConn
}

// Dial prepares a connection to the server at target: "host:port", or another
// name that gRPC knows, such as "dns:///host:port". The server's certificate must
// be for the host. Dial does not wait for the server: the first call connects, or
// Connect.
// Close frees the connection.
func Dial(target string, c Config) (*Client, error) {
	config, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target, c.dialOptions(config)...)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", target, err)
	}
	return &Client{
		KMS:      kmsv1.NewKeyManagementServiceClient(conn),
		Operator: operatorv1.NewOperatorServiceClient(conn),
		conn:     conn,
	}, nil
}

// Connect makes the connection now, not waiting out the pause after an attempt
// that failed, and returns when it is there. Until ctx ends it tries; a call says
// why the server cannot be reached. It fails with ctx, and after Close.
func (c *Client) Connect(ctx context.Context) error {
	c.conn.ResetConnectBackoff()
	for state := c.conn.GetState(); state != connectivity.Ready; state = c.conn.GetState() {
		if state == connectivity.Shutdown {
			return fmt.Errorf("connecting to %s: the client is closed", c.conn.Target())
		}
		c.conn.Connect()
		if !c.conn.WaitForStateChange(ctx, state) {
			return fmt.Errorf("connecting to %s: %w", c.conn.Target(), context.Cause(ctx))
		}
	}
	return nil
}

// Close ends the connection and the calls in flight.
func (c *Client) Close() error { return c.conn.Close() }

// dialOptions puts the caller's options after what they may change and before
// the interceptors, so that theirs are the outer ones.
func (c Config) dialOptions(config *tls.Config) []grpc.DialOption {
	words := wording{clientCert: c.ClientCert}
	again, region := newRetrier(c.Retries), regional{c.Region}
	return slices.Concat(c.defaults(), c.Options, []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDisableServiceConfig(), // what is repeated is decided here, not in DNS
		grpc.WithStatsHandler(sending{}),
		grpc.WithChainUnaryInterceptor(region.unary, again.unary, words.unary),
		grpc.WithChainStreamInterceptor(region.stream, words.stream),
	})
}

// defaults are what the caller's options may replace.
func (c Config) defaults() []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: reconnectPause},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
	}
	if c.UserAgent != "" {
		options = append(options, grpc.WithUserAgent(c.UserAgent))
	}
	return options
}
