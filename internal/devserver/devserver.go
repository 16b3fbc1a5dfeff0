package devserver

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/internal/daemon"
)

// What every development server says it is, in this Region unless it is told
// others.
const (
	Account    = "000000000000"
	Region     = "us-east-1"
	tokenLabel = "strongroom-dev"
)

// Options say where a development server is and who may call it.
type Options struct {
	// DataDir keeps everything; it is made if missing.
	DataDir string
	// Listen is a loopback address, "host:port".
	Listen string
	// AWSListen is the same for AWS clients; empty: they are not answered.
	AWSListen string
	// MetricsListen is an address for Prometheus and the console; empty: there is none.
	MetricsListen string
	// Account is the account number of everything; empty: Account.
	Account string
	// AccessKey is what AWS clients sign with, as the first principal.
	AccessKey AccessKey
	// Library is the path of the SoftHSM library; empty: the usual places.
	Library string
	// Principals are the callers; nil: DefaultPrincipals.
	Principals []Principal
	// Regions are the Regions, the default one first; nil: Region alone.
	Regions []string
	// Clusters are HSM clusters, each with a token of its own; nil: none. One that is
	// named no more keeps its directory.
	Clusters []ClusterOptions
	// WorkerEnv is added to the environment of the HSM workers.
	WorkerEnv map[string]string
	// AcceptNewJournal is daemon.Options.AcceptNewJournal.
	AcceptNewJournal bool
	// Logger takes the server's log.
	Logger hclog.Logger
	// TrailOpen is called with the audit trails before they are used; it may be
	// nil. The trails are closed when Run returns.
	TrailOpen func(*audit.Trail)
	// Serving is daemon.Options.Serving, with all that a client needs.
	Serving func(ctx context.Context, site *Site) error
}

// Run serves until ctx ends. It returns nil if everything was closed well.
func Run(ctx context.Context, o Options) error {
	s, err := prepare(o)
	if err != nil {
		return err
	}
	c, err := s.config(o)
	if err != nil {
		return err
	}
	return daemon.Run(ctx, c, o.Logger, daemon.Options{
		AcceptNewJournal: o.AcceptNewJournal,
		AccessKeys:       s.accessKeys(o.AccessKey),
		RequireHSM:       true, // its token is of its own making
		SampleEvery:      time.Second,
		EvaluateEvery:    time.Second,
		BeforeHSM: func(ctx context.Context, trail *audit.Trail) error {
			if o.TrailOpen != nil {
				o.TrailOpen(trail)
			}
			return s.initTokens(ctx, trail, o.Logger)
		},
		// If the port was left to the system, only now is the address known.
		Serving: func(ctx context.Context, at daemon.Addresses) error {
			s.Address = at.GRPC.String()
			if at.AWS != nil {
				s.AWSAddress = at.AWS.String()
			}
			if at.Metrics != nil {
				s.MetricsAddress = at.Metrics.String()
			}
			s.ConsoleURL = at.Console
			return o.Serving(ctx, s)
		},
	})
}
