package keystore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// ErrUnknownAccessKey says that there is no access key of an id, or that its
// principal is gone.
var ErrUnknownAccessKey = errors.New("there is no such access key")

// AccessKey returns the access key of an id. It is ErrUnknownAccessKey that there
// is none; any other error is an *Error that says why it is not to be had now,
// although there may be one: the HSM is away, or the metadata is not up to date.
// The HSM is asked at the first use of an access key, and not again.
func (r *Regions) AccessKey(ctx context.Context, id string) (AccessKey, error) {
	k := r.Default()
	if err := k.fresh(); err != nil {
		return AccessKey{}, err
	}
	all := r.directory.accessKeys.Load()
	if a, ok := all.configured[id]; ok {
		return a, nil
	}
	a, ok := all.stored[id]
	if !ok {
		return AccessKey{}, ErrUnknownAccessKey
	}
	secret, err := a.open(ctx, k)
	if err != nil {
		return AccessKey{}, err
	}
	return AccessKey{Secret: secret, Principal: a.record.GetPrincipal()}, nil
}

// accessKeys are those that are in force, by their ids.
type accessKeys struct {
	configured map[string]AccessKey
	stored     map[string]*storedAccessKey
	principals map[string]string // whose access keys would be in force, and their identities
}

// storedAccessKey is an access key as of one revision of the metadata. It never
// changes, but for what is remembered of it.
type storedAccessKey struct {
	record   *storagev1.AccessKeyRecord
	sealing  hsmpool.ObjectID // the key in the default HSM that seals the secret
	revision uint64

	turn   chan struct{} // has one value while the secret is being decrypted
	secret atomic.Pointer[string]
	warned sync.Once // that it cannot be
}

// storedSealingKey is the record of the sealing key as of one revision of the
// metadata. It never changes.
type storedSealingKey struct {
	record   *storagev1.SealingKeyRecord
	revision uint64
}

func newStoredAccessKey(r *storagev1.AccessKeyRecord, revision uint64) (*storedAccessKey, error) {
	if n := len(r.GetSealingKeyId()); n != len(hsmpool.ObjectID{}) {
		return nil, fmt.Errorf("the id of the sealing key has %d bytes", n)
	}
	return &storedAccessKey{
		record: r, sealing: hsmpool.ObjectID(r.GetSealingKeyId()), revision: revision, turn: make(chan struct{}, 1),
	}, nil
}

// openTimeout is how long a request waits for the secret of its access key. It has
// no deadline of its own yet: it may be a stranger's.
const openTimeout = 10 * time.Second

// open returns the secret. Only one request at a time asks the HSM for it, and
// none after one that has got it.
func (a *storedAccessKey) open(ctx context.Context, k *Keystore) (string, error) {
	if known := a.secret.Load(); known != nil {
		return *known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return "", outOfTime(ctx, "The HSM")
	}
	if known := a.secret.Load(); known != nil {
		return *known, nil
	}
	secret, err := k.openAccessKey(ctx, a)
	if err != nil {
		return "", err
	}
	a.secret.Store(&secret)
	return secret, nil
}

// openAccessKey decrypts the secret of an access key.
func (k *Keystore) openAccessKey(ctx context.Context, a *storedAccessKey) (string, error) {
	p, id := newProof(k, uuid.NewString()), a.record.GetAccessKeyId()
	p.grant(nil)
	secret, err := p.openSecret(ctx, a.sealing, a.record.GetSealedSecret(), id)
	if err == nil {
		defer clear(secret)
		return string(secret), nil
	}
	var e *hsmpool.Error
	if errors.As(err, &e) && e.Class != hsmpool.ObjectMissing && e.Class != hsmpool.Caller {
		return "", p.hsmError(ctx, err)
	}
	a.warned.Do(func() {
		k.log.Error("the secret of an access key cannot be decrypted: is it the token that it was made on? Delete the access key, and make another one",
			"access_key_id", id, "principal", a.record.GetPrincipal(), "sealing_key_id", a.sealing, "error", err)
	})
	return "", errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The secret of the access key %s cannot be decrypted.", id).because(err)
}

func (d *directory) decodeAccessKey(e metadata.Event, id string) (func(*directoryContents), error) {
	if e.Kind == metadata.Delete {
		return func(c *directoryContents) { delete(c.accessKeys, id) }, nil
	}
	r := new(storagev1.AccessKeyRecord)
	if err := decodeValue(e.Entry.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	if r.GetAccessKeyId() != id {
		return nil, fmt.Errorf("%s: the record there is that of %q", e.Entry.Key, r.GetAccessKeyId())
	}
	a, err := newStoredAccessKey(r, e.Entry.Revision)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	return func(c *directoryContents) { c.accessKeys[id] = a }, nil
}

func (d *directory) decodeSealingKey(e metadata.Event) (func(*directoryContents), error) {
	if e.Kind == metadata.Delete {
		return func(c *directoryContents) { c.sealing = nil }, nil
	}
	r := new(storagev1.SealingKeyRecord)
	if err := decodeValue(e.Entry.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	if n := len(r.GetId()); n != len(hsmpool.ObjectID{}) {
		return nil, fmt.Errorf("%s: the id of the sealing key has %d bytes", e.Entry.Key, n)
	}
	s := &storedSealingKey{record: r, revision: e.Entry.Revision}
	return func(c *directoryContents) { c.sealing = s }, nil
}

// accessKeysOf returns the stored access keys of a principal, or all of them if it
// is empty, in the order of their ids.
func (c directoryContents) accessKeysOf(principal string) []*storedAccessKey {
	return slices.DeleteFunc(sortedValues(c.accessKeys), func(a *storedAccessKey) bool {
		return principal != "" && a.record.GetPrincipal() != principal
	})
}

// materials maps the id of every sealing key and audit key that a token should have to
// what it is.
func (d *directory) materials() map[hsmpool.ObjectID]material {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := map[hsmpool.ObjectID]material{}
	for _, a := range d.stored.accessKeys {
		all[a.sealing] = material{arn: d.scope.sealingKeyARN(), current: true}
	}
	d.stored.auditMaterials(d.scope, all)
	return all
}

// checkAccessKeys refuses access keys of the configuration that cannot be used.
func checkAccessKeys(c Config) error {
	for _, id := range slices.Sorted(maps.Keys(c.AccessKeys)) {
		a := c.AccessKeys[id]
		if id == "" || a.Secret == "" {
			return fmt.Errorf("access key %q of %s: neither its id nor its secret may be empty", id, a.Principal)
		}
		if _, known := c.Principals[a.Principal]; !known {
			return fmt.Errorf("access key %q: there is no principal %q", id, a.Principal)
		}
	}
	return nil
}
