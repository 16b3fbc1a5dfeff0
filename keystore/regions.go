package keystore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Regions is the service in every Region that its configuration lists. Each is
// a namespace of keys of its own, a Keystore, that knows nothing of the others'
// keys. They stand on the same HSMs, metadata store and trail. It is safe for
// concurrent use.
type Regions struct {
	stores []*Keystore // in the order of the configuration; at least one
	// changes are those of all Regions, so that a backup holds all of them back.
	changes   *changes
	directory *directory
	// auditStatus is what ReportAudit was given; nil: nothing.
	auditStatus atomic.Pointer[func() AuditStatus]
}

// OpenRegions returns the service in the named Regions, of which the first is
// the default one; the Region of the Config does not count. Nothing runs before
// all Regions have read the metadata and settled what a crash left behind, but for what
// needs an HSM that is away: that is settled when the HSM comes.
func OpenRegions(ctx context.Context, c Config, names ...string) (*Regions, error) {
	if c.HSM == nil {
		return nil, errors.New("keystore: an HSM is required")
	}
	r, err := readRegions(ctx, c, names)
	if err != nil {
		return nil, err
	}
	if err := r.addDirectory(c); err != nil {
		return nil, fmt.Errorf("reading the principals' policies: %w", err)
	}
	if err := r.directory.load(ctx, c.Metadata); err != nil {
		return nil, fmt.Errorf("reading the principals and identity policies: %w", err)
	}
	if err := r.settle(ctx); err != nil {
		return nil, fmt.Errorf("settling requests that were cut off: %w", err)
	}
	for _, k := range r.stores {
		k.start()
	}
	return r, nil
}

// Bind compares the metadata with the journal, as OpenRegions does, and ties them. It needs
// no HSM, and who writes into the metadata beside the Regions must call it first: metadata
// that has lost changes, and is written to, no longer shows that. It changes nothing when it
// is called again.
func Bind(ctx context.Context, c Config, names ...string) error {
	_, err := readRegions(ctx, c, names)
	return err
}

// readRegions returns Regions that have read their metadata, which is that of the journal.
func readRegions(ctx context.Context, c Config, names []string) (*Regions, error) {
	r, err := assembleRegions(c, names)
	if err != nil {
		return nil, err
	}
	for _, k := range r.stores {
		if err := k.view.load(ctx, k.store); err != nil {
			return nil, fmt.Errorf("reading the key metadata: %w", err)
		}
	}
	if err := r.bind(ctx, c.Journal, c.AcceptNewJournal); err != nil {
		return nil, fmt.Errorf("comparing the key metadata with the audit journal: %w", err)
	}
	return r, nil
}

func assembleRegions(c Config, names []string) (*Regions, error) {
	if len(names) == 0 {
		return nil, errors.New("keystore: there is no Region")
	}
	api, err := compileAPI()
	if err != nil {
		return nil, err
	}
	r := &Regions{changes: newChanges()}
	for _, name := range names {
		if _, twice := r.Region(name); twice {
			return nil, fmt.Errorf("keystore: the Region %s is listed twice", name)
		}
		c.Region = name
		k, err := assemble(c, api)
		if err != nil {
			return nil, err
		}
		k.regions, k.changes = r, r.changes
		r.stores = append(r.stores, k)
	}
	return r, nil
}

// addDirectory gives all Regions the principals.
func (r *Regions) addDirectory(c Config) (err error) {
	if r.directory, err = newDirectory(r.Default().scope, c); err != nil {
		return err
	}
	for _, k := range r.stores {
		k.directory, k.identities = r.directory, &r.directory.identities
	}
	return nil
}

// PrincipalOf returns the ARN of the principal that the URI and DNS names of a
// verified client certificate stand for, or "". Names are compared exactly, URIs
// as Go's net/url writes them. Where several are known the first one counts, URIs
// before DNS names. It answers at once and allocates nothing, so that it can be
// asked for each request: principals come and go.
func (r *Regions) PrincipalOf(uris, dns []string) string { return r.directory.principalOf(uris, dns) }

// Default returns the Keystore of the first Region: it answers requests that
// name no Region, and what is not of one Region is in its name.
func (r *Regions) Default() *Keystore { return r.stores[0] }

// Region returns the Keystore of a Region, and whether there is one.
func (r *Regions) Region(name string) (*Keystore, bool) {
	i := slices.IndexFunc(r.stores, func(k *Keystore) bool { return k.scope.region == name })
	if i < 0 {
		return nil, false
	}
	return r.stores[i], true
}

// Names returns the names of the Regions, the default one first.
func (r *Regions) Names() []string {
	names := make([]string, len(r.stores))
	for i, k := range r.stores {
		names[i] = k.scope.region
	}
	return names
}

// Operator returns the service that operators use, which is of all Regions
// together. Its events are of the default Region.
func (r *Regions) Operator() operatorv1.OperatorServiceServer { return r.Default().Operator() }

// Describe returns the compiled description of the API, for front ends.
func (r *Regions) Describe() *describe.API { return r.Default().Describe() }

// Reject is Keystore.Reject in the Region that the caller has named, in the
// default one if there is none of that name.
func (r *Regions) Reject(ctx context.Context, fullMethod string, e *Error) error {
	caller, _ := CallerFrom(ctx)
	k, ok := r.Region(caller.Region)
	if !ok {
		k = r.Default()
	}
	return k.Reject(ctx, fullMethod, e)
}

// Health is nil when requests can be answered in every Region, or says for
// operators why not in the first one in which they cannot.
func (r *Regions) Health() error {
	for _, k := range r.stores {
		if err := k.Health(); err != nil {
			return fmt.Errorf("Region %s: %w", k.scope.region, err)
		}
	}
	return nil
}

// Close closes the Keystores of all Regions. Requests must have ended before.
func (r *Regions) Close(ctx context.Context) error {
	var errs []error
	for _, k := range r.stores {
		if err := k.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("Region %s: %w", k.scope.region, err))
		}
	}
	return errors.Join(errs...)
}

// of returns the Keystore in whose scope an ARN is, or nil.
func (r *Regions) of(arn string) *Keystore {
	i := slices.IndexFunc(r.stores, func(k *Keystore) bool { return strings.HasPrefix(arn, k.scope.arn("")) })
	if i < 0 {
		return nil
	}
	return r.stores[i]
}

// account and prefix are what all Regions share: the account, and what all
// their metadata paths begin with.
func (r *Regions) account() string { return r.Default().scope.account }
func (r *Regions) prefix() string  { return r.account() + "/" }

// materials maps the id of every object that a token should have, of every Region,
// to what it is.
func (r *Regions) materials() map[hsmpool.ObjectID]material {
	all := map[hsmpool.ObjectID]material{}
	for _, k := range r.stores {
		maps.Copy(all, k.view.materials())
	}
	maps.Copy(all, r.directory.materials())
	return all
}

// hsms are the HSMs of the default key store, "", and of all custom key stores that
// are connected, by the stores' ids.
func (r *Regions) hsms() map[string]HSM {
	all := map[string]HSM{"": r.Default().hsm}
	for _, k := range r.stores {
		for id, c := range k.connections.Connected() {
			all[id] = c
		}
	}
	return all
}

// customStoresBeside returns the ids, in order, of the custom key stores of all
// Regions whose HSMs are not among those that are given.
func (r *Regions) customStoresBeside(hsms map[string]HSM) (ids []string) {
	for _, k := range r.stores {
		for _, id := range k.view.storeIDs() {
			if _, given := hsms[id]; !given {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// scopeOf returns the account and the Region that a metadata path begins with.
func scopeOf(path string) scope {
	account, rest, _ := strings.Cut(path, "/")
	region, _, _ := strings.Cut(rest, "/")
	return scope{account: account, region: region}
}
