package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/export"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/internal/alarm"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/metricfilter"
	"github.com/strongroom-kms/strongroom/internal/metrics"
	"github.com/strongroom-kms/strongroom/internal/metrics/history"
	"github.com/strongroom-kms/strongroom/internal/telemetry"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/server"
	"github.com/strongroom-kms/strongroom/server/console"
)

// daemon is the parts of a server, as far as they are open.
type daemon struct {
	config  *config.Config
	logger  hclog.Logger
	options Options

	policies     policies
	trustAnchors []string // of the clusters, in their order

	listener  net.Listener
	aws       net.Listener    // nil: there is no endpoint for AWS clients
	metrics   net.Listener    // nil: Prometheus is not answered
	access    *console.Access // nil: there is no console
	registry  *prometheus.Registry
	history   *history.History
	telemetry *telemetry.Telemetry
	channels  channels // TLS connections
	requests  *metrics.Requests
	tracing   trace.TracerProvider // nil: no request is traced
	filters   *metricfilter.Counter
	alarms    *alarm.Evaluator
	trail     *audit.Trail
	journal   journal.ID // of trail
	hsm       *hsmpool.Pool
	metadata  *metadata.Bolt
	guard     *hsmpool.PINGuard
	keystore  *keystore.Regions
	export    atomic.Pointer[export.Exporter] // nil until the key store is open
	server    *server.Server

	sinks        []ship.Sink // beside the export's files
	clusterNames clusterNames

	parts closers
}

// assemble opens the parts. First comes what most often keeps a server from
// starting, files that it reads and the address, so that such a start leaves nothing
// in the journal. The metadata comes before the HSM, so that a damaged file costs no
// login, and after beforeHSM, to which metadata means that there may be keys.
func (d *daemon) assemble(ctx context.Context) error {
	steps := []func(context.Context) error{
		d.readPolicies, d.checkTLS, d.readTrustAnchors, d.warnOfOpenFiles, d.listen, d.listenMetrics, d.openTrail, d.openRegistry, d.openAlarms, d.beforeHSM, d.openMetadata, d.guardPINs, d.openHSM, d.openHistory, d.openKeystore, d.startTelemetry, d.openS3, d.openOTLP, d.openExport, d.keepJournalSmall, d.openTraces, d.newServer, d.pushMetrics, d.startHistory, d.startAlarms,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) listen(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", d.config.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	d.listener = d.channels.at(listener)
	d.parts.add("listener", closing(d.listener))
	if d.config.AWS.Listen == "" {
		return nil
	}
	if d.aws, err = new(net.ListenConfig).Listen(ctx, "tcp", d.config.AWS.Listen); err != nil {
		return fmt.Errorf("listening for AWS clients: %w", err)
	}
	if !d.config.AWS.Plaintext {
		d.aws = d.channels.at(d.aws)
	}
	d.parts.add("listener for AWS clients", closing(d.aws))
	return nil
}

// closing closes a listener, unless its server has.
func closing(l net.Listener) func(context.Context) error {
	return func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func (d *daemon) openTrail(context.Context) error {
	trail, recovery, err := audit.Open(audit.Options{
		Dir:    JournalDir(d.config.DataDir),
		Logger: d.logger.Named("audit"),
	})
	if err != nil {
		return fmt.Errorf("opening the audit journal: %w", explainDamage(err))
	}
	d.trail, d.journal = trail, recovery.Journal
	d.parts.add("audit journal", d.closeTrail)
	d.logRecovery(recovery)
	return nil
}

// closeTrail closes the journal, and tells its head: kept elsewhere, it shows later that
// nothing was taken off the end.
func (d *daemon) closeTrail(ctx context.Context) error {
	err := d.trail.Close(ctx)
	head := d.trail.Head()
	d.logger.Info("audit journal is closed", "journal", d.journal.String(), "last_record", head.Seq, "head", head.Hash.String())
	return err
}

// explainDamage says what to do about a damaged journal.
func explainDamage(err error) error {
	var damage *journal.Corruption
	if !errors.As(err, &damage) {
		return err
	}
	return fmt.Errorf("%w; keep the directory as it is for the auditors, and follow \"A damaged or lost journal\" in docs/operations.md", err)
}

// logRecovery tells the operator how the last run ended.
func (d *daemon) logRecovery(r journal.Recovery) {
	d.logger.Info("audit journal is open", "journal", r.Journal.String(), "new", r.New, "clean", r.Clean, "last_record", r.LastSeq, "head", r.Head.String())
	if r.Torn != nil {
		d.logger.Warn("a write that did not finish was cut off the end of the audit journal",
			"segment", r.Torn.Segment, "offset", r.Torn.Offset, "bytes", r.Torn.Bytes)
	}
}

func (d *daemon) beforeHSM(ctx context.Context) error {
	if d.options.BeforeHSM == nil {
		return nil
	}
	return d.options.BeforeHSM(ctx, d.trail)
}

func (d *daemon) openMetadata(context.Context) error {
	store, err := metadata.OpenBolt(MetadataFile(d.config.DataDir), metadata.BoltOptions{})
	if err != nil {
		return fmt.Errorf("opening the key metadata: %w", err)
	}
	d.metadata = store
	d.parts.add("key metadata", func(context.Context) error { return store.Close() })
	return nil
}

func (d *daemon) openKeystore(ctx context.Context) error {
	names := map[string]string{}
	for _, p := range d.config.Principals {
		for _, name := range p.Names {
			names[name] = p.ARN
		}
	}
	keys, err := keystore.OpenRegions(ctx, keystore.Config{
		Account:    d.config.Account,
		Principals: d.policies.attached, CertificateNames: names,
		Policies: d.policies.texts,
		HSM:      d.hsm,
		Metadata: d.metadata,
		Trail:    d.trail,
		Journal:  d.journal.String(),
		Clusters: d.clusters(),

		TrailFiles: d.trailFiles(), ClusterOf: d.clusterOf,
		Figures:  d.history,
		Observer: d.requests,
		Alarms:   d.alarms,
		Links:    d.consoleLinks(),

		AccessKeys: d.options.AccessKeys,
		Logger:     d.logger.Named("keystore"),

		AcceptNewJournal: d.options.AcceptNewJournal,
	}, d.config.RegionNames()...)
	if err != nil {
		return fmt.Errorf("opening the key store: %w", err)
	}
	d.keystore = keys
	d.parts.add("key store", keys.Close)
	return nil
}

func (d *daemon) newServer(context.Context) error {
	regions := map[string]server.Region{}
	for _, name := range d.keystore.Names() {
		regions[name], _ = d.keystore.Region(name)
	}
	srv, err := server.New(server.Config{
		Default:         d.keystore.Default(),
		Regions:         regions,
		Operator:        d.keystore.Operator(),
		Health:          d.keystore.Health,
		Reject:          d.keystore.Reject,
		Observer:        d.requests,
		Tracing:         d.tracing,
		TLS:             d.tlsFiles(),
		Principals:      d.keystore.PrincipalOf,
		Redact:          d.keystore.Describe().Redact,
		Wipe:            d.keystore.Describe().Wipe,
		Logger:          d.logger.Named("server"),
		DefaultDeadline: d.config.Limits.DefaultDeadline,
		MaxDeadline:     d.config.Limits.MaxDeadline,
		MaxInFlight:     d.config.Limits.MaxInFlight,
		MaxConnections:  d.config.Limits.MaxConnections,
		DrainTimeout:    d.config.Limits.DrainTimeout,
	})
	if err != nil {
		return err
	}
	d.server = srv
	return nil
}
