package keystore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// key is a KMS key as of one revision of the metadata. It never changes.
type key struct {
	id       uuid.UUID
	arn      string
	record   *storagev1.KeyRecord
	kind     kind
	policy   *policy.Document
	backing  []hsmpool.ObjectID // newest last
	revision uint64

	// cluster is that of the key's custom key store, and away says that the store
	// is not connected: both are known of a key that was placed.
	cluster string
	away    bool
}

// store is the id of the custom key store that has the key; "" is the default one.
func (k *key) store() string { return k.record.GetCustomKeyStoreId() }

// state is the key's state. A key whose store is away is unavailable, unless it is
// to be deleted.
func (k *key) state() kmsv1.KeyState {
	if k.away && !k.pendingDeletion() {
		return unavailable
	}
	return k.record.GetState()
}

// current returns the backing key that is used for everything but decrypting what
// others have encrypted; the zero id if there is none: it is to be imported.
func (k *key) current() hsmpool.ObjectID {
	for i, b := range slices.Backward(k.record.GetBackingKeys()) {
		if !b.GetPending() {
			return k.backing[i]
		}
	}
	return hsmpool.ObjectID{}
}

// objects are the key's objects in the token: its material, and the key that
// material is wrapped with for its import.
func (k *key) objects() []hsmpool.ObjectID {
	var ids []hsmpool.ObjectID
	for i, b := range k.record.GetBackingKeys() {
		if !b.GetDestroyed() {
			ids = append(ids, k.backing[i])
		}
	}
	if k.record.Import != nil {
		ids = append(ids, hsmpool.ObjectID(k.record.GetImport().GetWrappingKeyId()))
	}
	return ids
}

// has says whether a backing key is, or was, this key's.
func (k *key) has(id hsmpool.ObjectID) bool {
	for i := len(k.backing) - 1; i >= 0; i-- {
		if k.backing[i] == id {
			return true
		}
	}
	return false
}

// pendingDeletion says whether the key is to be deleted, at deletionDate.
func (k *key) pendingDeletion() bool {
	return k.record.GetState() == pendingDeletion
}

// deletionDate is when a key that is to be deleted is due.
func (k *key) deletionDate() time.Time { return k.record.GetDeletionDate().AsTime() }

// materialID names a backing key in answers: 64 hex digits, as AWS's key
// material ids have, and no more than a name.
func materialID(id hsmpool.ObjectID) string {
	sum := sha256.Sum256(id[:])
	return hex.EncodeToString(sum[:])
}

// nameOf names material of the key in answers, if the key can have more than one:
// a symmetric encryption key.
func (k *key) nameOf(material hsmpool.ObjectID) *string {
	if !k.kind.symmetric() {
		return nil
	}
	return new(materialID(material))
}

// metadata describes the key as DescribeKey answers it.
func (k *key) metadata(s scope) *kmsv1.KeyMetadata {
	r := k.record
	m := &kmsv1.KeyMetadata{
		AwsAccountId:           &s.account,
		KeyId:                  r.KeyId,
		Arn:                    &k.arn,
		CreationDate:           r.Created,
		Enabled:                new(k.state() == enabled),
		Description:            new(r.GetDescription()),
		KeyUsage:               r.KeyUsage,
		KeyState:               k.state().Enum(),
		DeletionDate:           r.DeletionDate,
		Origin:                 r.Origin,
		KeyManager:             kmsv1.KeyManagerType_KEY_MANAGER_TYPE_CUSTOMER.Enum(),
		CustomerMasterKeySpec:  formerSpec(r.GetKeySpec()),
		KeySpec:                r.KeySpec,
		EncryptionAlgorithms:   k.kind.encryption,
		SigningAlgorithms:      k.kind.signing,
		MacAlgorithms:          k.kind.mac,
		KeyAgreementAlgorithms: k.kind.agreement,
		MultiRegion:            new(false),
	}
	if k.store() != "" {
		m.CustomKeyStoreId, m.CloudHsmClusterId = r.CustomKeyStoreId, &k.cluster
	} else if current := k.current(); current != (hsmpool.ObjectID{}) {
		m.CurrentKeyMaterialId = k.nameOf(current)
	}
	k.expirationOf(m)
	return m
}

// formerSpec is a key spec under its former name; nil for specs that are younger
// than the name.
func formerSpec(s kmsv1.KeySpec) *kmsv1.CustomerMasterKeySpec {
	former, ok := kmsv1.CustomerMasterKeySpec_value["CUSTOMER_MASTER_"+s.String()]
	if !ok {
		return nil
	}
	return kmsv1.CustomerMasterKeySpec(former).Enum()
}

// decodeKeyRecord reads a key's record from where it stands in the store.
func decodeKeyRecord(s scope, e metadata.Entry) (*key, error) {
	r := new(storagev1.KeyRecord)
	if err := decodeValue(e.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Key, err)
	}
	k, err := newKey(s, r, e.Revision)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Key, err)
	}
	if e.Key != s.keyPath(k.id) {
		return nil, fmt.Errorf("%s: the record there is that of %s", e.Key, k.arn)
	}
	return k, nil
}

// newKey makes the key of a record, and checks what the rest of the package
// relies on.
func newKey(s scope, r *storagev1.KeyRecord, revision uint64) (*key, error) {
	id, err := uuid.Parse(r.GetKeyId())
	if err != nil {
		return nil, fmt.Errorf("key id %q is not a UUID", r.GetKeyId())
	}
	k := &key{id: id, arn: s.keyARN(id), record: r, revision: revision}
	if r.GetArn() != k.arn {
		return nil, fmt.Errorf("the record is of %s, which is not in account %s and Region %s", r.GetArn(), s.account, s.region)
	}
	for _, b := range r.GetBackingKeys() {
		if len(b.GetId()) != len(hsmpool.ObjectID{}) {
			return nil, fmt.Errorf("a backing key id has %d bytes", len(b.GetId()))
		}
		k.backing = append(k.backing, hsmpool.ObjectID(b.GetId()))
	}
	if err := k.understand(s); err != nil {
		return nil, err
	}
	if len(k.backing) == 0 && r.GetOrigin() != external {
		return nil, fmt.Errorf("the record has no backing key")
	}
	if i := r.GetImport(); i != nil && len(i.GetWrappingKeyId()) != len(hsmpool.ObjectID{}) {
		return nil, fmt.Errorf("a wrapping key id has %d bytes", len(i.GetWrappingKeyId()))
	}
	if k.pendingDeletion() != (r.DeletionDate != nil) {
		return nil, fmt.Errorf("the state is %s, and a deletion date is there: %t", describe.WireName(r.GetState()), r.DeletionDate != nil)
	}
	return k, nil
}

// understand reads what the record says in other notations.
func (k *key) understand(s scope) (err error) {
	if k.kind, err = kindFor(k.record.GetKeySpec(), k.record.GetKeyUsage()); err != nil {
		return err
	}
	if k.record.GetPolicy() == "" {
		k.policy = s.defaultPolicy
		return nil
	}
	if k.policy, err = policy.ParseKeyPolicy(k.record.GetPolicy()); err != nil {
		return fmt.Errorf("the key policy: %w", err)
	}
	return nil
}

// policyText is the key's policy in JSON.
func (k *key) policyText(s scope) string {
	if text := k.record.GetPolicy(); text != "" {
		return text
	}
	return policy.DefaultKeyPolicy(s.account)
}
