package keystore

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// AuditKey is the public half of a key pair in the HSM that signs digests of the audit
// trails, or did.
type AuditKey struct {
	// Fingerprint names it in digests.
	Fingerprint string
	// PublicKey is PKCS #1 RSAPublicKey, DER.
	PublicKey []byte
	// Created is when it was made, Retired when another one took its place; that is zero
	// for the one that signs.
	Created, Retired time.Time
}

// AuditKeys returns the keys that sign and have signed digests, oldest first. It asks no
// HSM and makes no key: there are none before the first digest.
func (r *Regions) AuditKeys() []AuditKey {
	stored := r.directory.snapshot().auditKeysInOrder()
	keys := make([]AuditKey, len(stored))
	for i, s := range stored {
		keys[i] = s.AuditKey
	}
	return keys
}

// storedAuditKey is an audit key as of one revision of the metadata. It never changes.
type storedAuditKey struct {
	AuditKey
	id       hsmpool.ObjectID
	record   *storagev1.AuditKeyRecord
	revision uint64
}

func newStoredAuditKey(r *storagev1.AuditKeyRecord, revision uint64) (*storedAuditKey, error) {
	if n := len(r.GetId()); n != len(hsmpool.ObjectID{}) {
		return nil, fmt.Errorf("the id of the audit key has %d bytes", n)
	}
	if _, err := x509.ParsePKCS1PublicKey(r.GetPublicKey()); err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	s := &storedAuditKey{
		AuditKey: AuditKey{Fingerprint: cloudtrail.Fingerprint(r.GetPublicKey()), PublicKey: r.GetPublicKey(), Created: r.GetCreated().AsTime()},
		id:       hsmpool.ObjectID(r.GetId()), record: r, revision: revision,
	}
	if r.Retired != nil {
		s.Retired = r.GetRetired().AsTime()
	}
	return s, nil
}

func (d *directory) decodeAuditKey(e metadata.Event, id string) (func(*directoryContents), error) {
	if e.Kind == metadata.Delete {
		return func(c *directoryContents) { delete(c.auditKeys, id) }, nil
	}
	r := new(storagev1.AuditKeyRecord)
	if err := decodeValue(e.Entry.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	s, err := newStoredAuditKey(r, e.Entry.Revision)
	if err == nil && s.id.String() != id {
		err = fmt.Errorf("the record there is that of %s", s.id)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	return func(c *directoryContents) { c.auditKeys[id] = s }, nil
}

// auditKeysInOrder returns the audit keys, oldest first. The one that signs is the last even if
// the clock was set back before it was made.
func (c directoryContents) auditKeysInOrder() []*storedAuditKey {
	all := sortedValues(c.auditKeys)
	slices.SortStableFunc(all, func(a, b *storedAuditKey) int {
		switch signsA, signsB := a.Retired.IsZero(), b.Retired.IsZero(); {
		case signsA && !signsB:
			return 1
		case signsB && !signsA:
			return -1
		}
		return a.Created.Compare(b.Created)
	})
	return all
}

// auditKey returns the audit key that signs, or nil.
func (c directoryContents) auditKey() *storedAuditKey {
	all := c.auditKeysInOrder()
	if n := len(all); n > 0 && all[n-1].Retired.IsZero() {
		return all[n-1]
	}
	return nil
}

func describeAuditKey(a AuditKey) *operatorv1.AuditSigningKey {
	return &operatorv1.AuditSigningKey{
		Fingerprint: &a.Fingerprint, PublicKey: a.PublicKey, Created: moment(a.Created), Retired: moment(a.Retired),
	}
}

// auditMaterials adds the audit keys to what a token should have. A retired one may be
// there yet: destroying it may have failed.
func (c directoryContents) auditMaterials(s scope, all map[hsmpool.ObjectID]material) {
	for _, a := range c.auditKeys {
		all[a.id] = material{arn: s.auditKeyARN(a.id.String()), current: a.Retired.IsZero(), going: !a.Retired.IsZero()}
	}
}
