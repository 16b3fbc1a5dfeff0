package keystore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// directory has the principals, their access keys and the identity policies of the
// account, which all Regions share: those of the configuration and those that are stored. What
// requests ask it for is compiled at each change.
type directory struct {
	scope      scope // its Region does not count
	configured configured
	log        hclog.Logger
	*mirror[directoryContents]
	stored directoryContents // guarded by the mirror's lock
	warned []string          // of the last rights; guarded by the mirror's lock

	identities atomic.Pointer[policy.Identities]
	names      atomic.Pointer[certificateNames]
	accessKeys atomic.Pointer[accessKeys]
}

// directoryContents is what is stored.
type directoryContents struct {
	principals map[string]*storedPrincipal // by ARN
	policies   map[string]*storedPolicy    // by name
	accessKeys map[string]*storedAccessKey // by id
	sealing    *storedSealingKey           // nil: there is none
	auditKeys  map[string]*storedAuditKey  // by id, in hexadecimal
}

func newDirectoryContents() directoryContents {
	return directoryContents{
		principals: map[string]*storedPrincipal{}, policies: map[string]*storedPolicy{},
		accessKeys: map[string]*storedAccessKey{}, auditKeys: map[string]*storedAuditKey{},
	}
}

// storedPrincipal is a principal as of one revision of the metadata. It never
// changes.
type storedPrincipal struct {
	record   *storagev1.PrincipalRecord
	revision uint64
}

// storedPolicy is an identity policy as of one revision of the metadata. It never
// changes.
type storedPolicy struct {
	record   *storagev1.PolicyRecord
	document *policy.Document
	revision uint64
}

// newDirectory returns a directory of what the configuration has.
func newDirectory(s scope, c Config) (*directory, error) {
	named, err := newConfigured(c)
	if err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	d := &directory{scope: s, configured: named, stored: newDirectoryContents(), log: c.Logger}
	d.mirror = &mirror[directoryContents]{
		prefix: s.globalPrefix(), empty: newDirectoryContents, decode: d.decode, publish: d.publish,
		shown: &d.stored, changed: make(chan struct{}),
	}
	if err := d.publish(&d.stored); err != nil {
		return nil, err
	}
	return d, nil
}

// publish puts rights into force, and logs what is not in force and was so far.
func (d *directory) publish(c *directoryContents) error {
	r, err := d.configured.with(c)
	if err != nil {
		return fmt.Errorf("giving the principals their policies: %w", err)
	}
	d.identities.Store(r.identities)
	d.names.Store(r.names)
	d.accessKeys.Store(r.accessKeys)
	for _, words := range r.warnings {
		if !slices.Contains(d.warned, words) {
			d.log.Warn(words)
		}
	}
	d.warned = r.warnings
	return nil
}

// principalOf returns the ARN that the names of a client certificate stand for,
// or "". It costs some look-ups in maps.
func (d *directory) principalOf(uris, dns []string) string {
	return d.names.Load().principalOf(uris, dns)
}

// snapshot returns a copy of what is stored.
func (d *directory) snapshot() directoryContents {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.stored.clone()
}

func (c directoryContents) clone() directoryContents {
	return directoryContents{
		principals: maps.Clone(c.principals), policies: maps.Clone(c.policies), accessKeys: maps.Clone(c.accessKeys), sealing: c.sealing,
		auditKeys: maps.Clone(c.auditKeys),
	}
}

// decode says what an event does to the contents. What is none of them does
// nothing.
func (d *directory) decode(e metadata.Event) (func(*directoryContents), error) {
	if arn, is := strings.CutPrefix(e.Entry.Key, d.scope.principalPath("")); is {
		return d.decodePrincipal(e, arn)
	}
	if name, is := strings.CutPrefix(e.Entry.Key, d.scope.policyPath("")); is {
		return d.decodePolicy(e, name)
	}
	if id, is := strings.CutPrefix(e.Entry.Key, d.scope.accessKeyPath("")); is {
		return d.decodeAccessKey(e, id)
	}
	if id, is := strings.CutPrefix(e.Entry.Key, d.scope.auditKeyPath("")); is {
		return d.decodeAuditKey(e, id)
	}
	if e.Entry.Key == d.scope.sealingKeyPath() {
		return d.decodeSealingKey(e)
	}
	return func(*directoryContents) {}, nil
}

func (d *directory) decodePrincipal(e metadata.Event, arn string) (func(*directoryContents), error) {
	if e.Kind == metadata.Delete {
		return func(c *directoryContents) { delete(c.principals, arn) }, nil
	}
	r := new(storagev1.PrincipalRecord)
	if err := decodeValue(e.Entry.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	if r.GetArn() != arn {
		return nil, fmt.Errorf("%s: the record there is that of %q", e.Entry.Key, r.GetArn())
	}
	if err := policy.CheckPrincipal(arn); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	p := &storedPrincipal{record: r, revision: e.Entry.Revision}
	return func(c *directoryContents) { c.principals[arn] = p }, nil
}

// decodePolicy refuses a policy that cannot be understood: left out, what it
// denies would be allowed.
func (d *directory) decodePolicy(e metadata.Event, name string) (func(*directoryContents), error) {
	if e.Kind == metadata.Delete {
		return func(c *directoryContents) { delete(c.policies, name) }, nil
	}
	r := new(storagev1.PolicyRecord)
	if err := decodeValue(e.Entry.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	if r.GetName() != name {
		return nil, fmt.Errorf("%s: the record there is that of %q", e.Entry.Key, r.GetName())
	}
	document, err := policy.ParseIdentityPolicy(name, r.GetDocument())
	if err != nil {
		return nil, fmt.Errorf("%s: this binary does not understand the identity policy, which a newer strongroom may have written: %w", e.Entry.Key, err)
	}
	p := &storedPolicy{record: r, document: document, revision: e.Entry.Revision}
	return func(c *directoryContents) { c.policies[name] = p }, nil
}
