package keystore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/connect"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	"github.com/strongroom-kms/strongroom/proto/describe"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// HSM is what the key store needs of HSMs. Keys are named by their CKA_ID.
// Calls return within the context's deadline, are safe for concurrent use, and
// fail with a *hsmpool.Error. A generate or destroy has its HSM audit entry
// durable before it returns, whatever its outcome.
type HSM interface {
	Generate(ctx context.Context, req hsmpool.GenerateRequest) (hsmpool.Generated, error)
	Destroy(ctx context.Context, id hsmpool.ObjectID) (hsmpool.Trace, error)
	Seal(ctx context.Context, id hsmpool.ObjectID, plaintext, aad []byte) (hsmpool.Sealed, error)
	SealRandom(ctx context.Context, id hsmpool.ObjectID, n int, keepPlaintext bool, aad []byte) (hsmpool.SealedRandom, error)
	Open(ctx context.Context, id hsmpool.ObjectID, iv, ciphertext, aad []byte) (hsmpool.Opened, error)
	Random(ctx context.Context, n int) ([]byte, hsmpool.Trace, error)
	Sign(ctx context.Context, id hsmpool.ObjectID, a hsmpool.Algorithm, input []byte) (hsmpool.Signed, error)
	MAC(ctx context.Context, id hsmpool.ObjectID, a hsmpool.Algorithm, message []byte) (hsmpool.MACed, error)
	DecryptOAEP(ctx context.Context, id hsmpool.ObjectID, a hsmpool.Algorithm, ciphertext []byte) (hsmpool.Opened, error)
	Agree(ctx context.Context, id hsmpool.ObjectID, peer []byte) (hsmpool.Agreed, error)
	GeneratePair(ctx context.Context, t hsmpool.KeyType) (hsmpool.Pair, error)
	Import(ctx context.Context, r hsmpool.ImportRequest) (hsmpool.Imported, error)
	// Objects reads the secret and private keys of all tokens, in any order.
	Objects(ctx context.Context) ([]hsmpool.Object, error)
	// Capabilities tells what the token can do; the first call has it tested.
	Capabilities(ctx context.Context) ([]hsmpool.Capability, error)
	// CheckUnlock looks at the PINs of HSMs that are stopped, or of the one that is named,
	// without a login, and starts again those whose tokens allow one.
	CheckUnlock(ctx context.Context, hsmID string) ([]hsmpool.UnlockCheck, error)
	// Withdraw takes one of the HSMs out of service, Restore into it again. They do not wait.
	Withdraw(hsmID, reason string) error
	Restore(hsmID string) error
	Describe() []hsmpool.Status
	Health() error
}

// Trail is what the key store needs of the audit: both Record calls return nil
// only when the record is durable.
type Trail interface {
	RecordEvent(ctx context.Context, e *audit.APIEvent) error
	RecordIntent(ctx context.Context, i *audit.Intent) error
	UnsettledIntents() []audit.Intent
	IntentIsOpen(requestID string) bool
	MetadataRevision() uint64
	Events(ctx context.Context, q audit.Query) iter.Seq2[audit.EventRecord, error]
	HSMLog(ctx context.Context, q audit.Query) iter.Seq2[audit.HSMEntry, error]
	// Search finds records by what is in them. It may answer fewer than there are,
	// with where to go on.
	Search(ctx context.Context, s audit.Search) (audit.Page, error)
	// HSMs are the ids of all HSMs that there are entries of.
	HSMs() []string
	Cut() journal.Cut
	Healthy() error
}

// Config says what a Keystore is made of. Everything but AcceptNewJournal and
// Logger is required.
type Config struct {
	// Account is the 12-digit account number of keys and principals.
	Account string
	// Region is the Region in the keys' ARNs.
	Region string
	// Principals maps a principal's ARN to the names of its policies.
	Principals map[string][]string
	// CertificateNames gives the ARN of one of the Principals for the URI and DNS
	// names of client certificates: a name with a colon is a URI, one without a DNS
	// name. Nil: no certificate is a configured principal's.
	CertificateNames map[string]string
	// AccessKeys are access keys by their ids, of some of the Principals, whose
	// requests they sign beside the stored ones; nil: there are none.
	AccessKeys map[string]AccessKey
	// Policies are identity policies in IAM's JSON by name, beside the built-in
	// ones.
	Policies map[string]string
	// HSM, Metadata and Trail outlive the Keystore: it closes none of them.
	HSM      HSM
	Metadata metadata.Store
	Trail    Trail
	// Clusters are what custom key stores can be made of; none is mandatory.
	Clusters []Cluster
	// TrailFiles is where the trails' files go; none by default.
	TrailFiles TrailFiles
	// ClusterOf names the cluster of an HSM, as the files of its log do; empty: it is
	// not known. It is asked about HSMs that are not in use. Nil: nobody knows.
	ClusterOf func(hsmID string) string
	// Observer is told of each request; nil: nobody is.
	Observer Observer
	// Figures are the metrics that are kept; nil: there are none.
	Figures Figures
	// Alarms are what operators are told of; nil: there are none.
	Alarms Alarms
	// Links signs people in to the console; nil: there is no console.
	Links ConsoleLinks
	// Journal is the id of the journal that Trail writes, in hex.
	Journal string
	// AcceptNewJournal lets the metadata be tied to another journal than the
	// one that it knows, or to a used one when it knows none.
	AcceptNewJournal bool
	// Logger takes what operators should know; nil is silence.
	Logger hclog.Logger

	// gcmLimit replaces the invocation limit of AES-GCM, and now the clock that
	// deletions and rotations go by, in tests.
	gcmLimit uint64
	now      func() time.Time
}

// Keystore is the key management service. It is safe for concurrent use.
type Keystore struct {
	kmsv1.UnimplementedKeyManagementServiceServer
	cloudtrailv1.UnimplementedCloudTrailServiceServer
	logsv1.UnimplementedLogsServiceServer
	cloudhsmv1.UnimplementedCloudHsmServiceServer
	cloudwatchv1.UnimplementedCloudWatchServiceServer

	scope scope
	api   *describe.API
	// directory has the principals of all Regions, and identities their policies
	// in force.
	directory  *directory
	identities *atomic.Pointer[policy.Identities]
	hsm        HSM // for work with keys only by way of a proof
	clusters   []Cluster
	store      metadata.Store
	trail      Trail
	view       *view
	meter      *meter
	usage      *usage
	log        hclog.Logger
	now        func() time.Time
	files      TrailFiles
	clusterOf  func(hsmID string) string
	observer   Observer     // nil: nobody watches
	figures    Figures      // nil: there are none
	alarms     Alarms       // nil: there are none
	links      ConsoleLinks // nil: there is no console

	// connections are those of the custom key stores.
	connections *connect.Set[*connection]

	changes *changes // of all Regions
	regions *Regions // this one and its siblings
	settler *settler

	stop context.CancelFunc
	work sync.WaitGroup
}

// New returns the Keystore of a single Region. It has read the metadata, settled
// what a crash left behind, and follows the metadata store until Close.
func New(ctx context.Context, c Config) (*Keystore, error) {
	r, err := OpenRegions(ctx, c, c.Region)
	if err != nil {
		return nil, err
	}
	return r.Default(), nil
}

func assemble(c Config, api *describe.API) (*Keystore, error) {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.ClusterOf == nil {
		c.ClusterOf = func(string) string { return "" }
	}
	s, err := newScope(c.Account, c.Region)
	if err != nil {
		return nil, err
	}
	if c.Metadata == nil || c.Trail == nil || c.Journal == "" {
		return nil, errors.New("keystore: Metadata, Trail and Journal are required")
	}
	return &Keystore{
		scope: s, api: api,
		hsm: c.HSM, store: c.Metadata, trail: c.Trail,
		view: newView(s), meter: newMeter(s, c.Metadata, c.gcmLimit), log: c.Logger, now: c.now,
		usage: newUsage(s, c.Metadata), settler: newSettler(),
		files: c.TrailFiles, clusterOf: c.ClusterOf,
		observer: c.Observer, figures: c.Figures, alarms: c.Alarms, links: c.Links,
		clusters: c.Clusters, connections: connect.NewSet[*connection](),
	}, nil
}

// compileAPI compiles the description of what is served, which is the same in
// every Region.
func compileAPI() (*describe.API, error) {
	api, err := describe.Compile(
		kmsv1.File_strongroom_kms_v1_kms_proto.Services().ByName("KeyManagementService"),
		operatorv1.File_strongroom_operator_v1_operator_proto.Services().ByName("OperatorService"),
		cloudtrailv1.File_strongroom_cloudtrail_v1_cloudtrail_proto.Services().ByName("CloudTrailService"),
		logsv1.File_strongroom_logs_v1_logs_proto.Services().ByName("LogsService"),
		cloudhsmv1.File_strongroom_cloudhsm_v1_cloudhsm_proto.Services().ByName("CloudHsmService"),
		cloudwatchv1.File_strongroom_cloudwatch_v1_cloudwatch_proto.Services().ByName("CloudWatchService"))
	if err != nil {
		return nil, fmt.Errorf("compiling the API description: %w", err)
	}
	return api, nil
}

// start runs the goroutines that Close stops: they follow the metadata store,
// renew worn-out backing keys, delete and rotate keys when they are due, settle
// changes whose event could not be recorded, and write the last uses of keys. One
// compares token and metadata once. Custom key stores are connected meanwhile.
func (k *Keystore) start() {
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	k.work.Go(func() { k.view.follow(ctx, k.store, k.log) })
	if k == k.regions.Default() {
		k.work.Go(func() { k.directory.follow(ctx, k.store, k.log) })
	}
	k.work.Go(func() { k.maintain(ctx) })
	k.work.Go(func() { k.deleteDueKeys(ctx) })
	k.work.Go(func() { k.destroyExpired(ctx) })
	k.work.Go(func() { k.rotateDueKeys(ctx) })
	k.work.Go(func() { k.settleOpen(ctx) })
	k.work.Go(func() { k.trackUsage(ctx) })
	hsm := k.hsm
	k.work.Go(func() { k.reportOrphans(ctx, hsm) })
	k.reconnect()
}

// Close stops the background work, disconnects the custom key stores, writes the last
// uses of keys and gives unused invocations back. Requests must have ended before.
func (k *Keystore) Close(ctx context.Context) error {
	k.stop()
	var errs []error
	if err := k.connections.Close(ctx); err != nil {
		errs = append(errs, fmt.Errorf("disconnecting the custom key stores: %w", err))
	}
	k.work.Wait()
	if err := k.usage.write(ctx); err != nil {
		errs = append(errs, err)
	}
	if err := k.meter.giveBack(ctx); err != nil {
		errs = append(errs, fmt.Errorf("giving unused invocations back: %w", err))
	}
	return errors.Join(errs...)
}

// Health is nil when requests can be answered, or says for operators why not.
func (k *Keystore) Health() error {
	var reasons []string
	for _, part := range []struct {
		name string
		err  error
	}{
		{"HSM", k.hsm.Health()},
		{"audit journal", k.trail.Healthy()},
		{"metadata", cmp.Or(k.view.healthy(), k.directory.healthy(), k.store.Healthy())},
	} {
		if part.err != nil {
			reasons = append(reasons, part.name+": "+part.err.Error())
		}
	}
	if reasons == nil {
		return nil
	}
	return errors.New(strings.Join(reasons, "; ")) // one line of the log
}

// Describe returns the compiled description of the API that this Keystore
// serves, for front ends.
func (k *Keystore) Describe() *describe.API { return k.api }
