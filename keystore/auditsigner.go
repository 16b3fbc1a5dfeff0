package keystore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/hsmpool"
)

// AuditSigner signs digests of the audit trails with a key in the default HSM, RSA-2048,
// which is made when it is first asked for. Its methods are bounded by their contexts, may
// be called from many goroutines, and fail at once while the HSM is away. They leave no event:
// a digest is itself the record of its signature, and were there an event of each there
// would always be one that no digest covers.
type AuditSigner struct{ k *Keystore }

// AuditSigner returns what signs digests.
func (r *Regions) AuditSigner() AuditSigner { return AuditSigner{r.Default()} }

// PublicKeys returns the keys that have signed, oldest first, and the one that signs, which
// is the last. To list them without a key being made there is Regions.AuditKeys.
func (s AuditSigner) PublicKeys(ctx context.Context) ([]cloudtrail.PublicKey, error) {
	if _, err := s.key(ctx); err != nil {
		return nil, err
	}
	all := s.k.regions.AuditKeys()
	keys := make([]cloudtrail.PublicKey, len(all))
	for i, a := range all {
		keys[i] = cloudtrail.PublicKey{Fingerprint: a.Fingerprint, DER: a.PublicKey, Created: a.Created}
	}
	return keys, nil
}

// Sign signs a message by RSASSA-PKCS1-v1_5 with SHA-256, and names the key by its
// fingerprint. The signature has been verified with the public key.
func (s AuditSigner) Sign(ctx context.Context, message []byte) (signature []byte, fingerprint string, err error) {
	key, err := s.key(ctx)
	if err != nil {
		return nil, "", err
	}
	signature, err = s.signBy(ctx, key, message)
	if err != nil {
		return nil, "", fmt.Errorf("signing by the audit key %s: %w", key.Fingerprint, err)
	}
	return signature, key.Fingerprint, nil
}

func (s AuditSigner) key(ctx context.Context) (*storedAuditKey, error) {
	key, err := s.k.firstAuditKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the key that signs digests: %w", err)
	}
	return key, nil
}

func (s AuditSigner) signBy(ctx context.Context, key *storedAuditKey, message []byte) ([]byte, error) {
	if err := s.k.available(""); err != nil {
		return nil, err // at once: it is tried again, and a stop does not wait for an HSM
	}
	p := newProof(s.k, uuid.NewString())
	p.grant(nil)
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(message)
	signed, err := hsm.Sign(ctx, key.id, hsmpool.PKCS1SHA256, digest[:])
	var e *hsmpool.Error
	if errors.As(err, &e) && e.Class == hsmpool.ObjectMissing {
		return nil, fmt.Errorf("the HSM does not have it: restore it from the HSM's own backup, or have another one made by strongroom audit rotate-key: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if err := cloudtrail.VerifySignature(key.PublicKey, message, signed.Signature); err != nil {
		return nil, fmt.Errorf("the signature that the HSM gave is not used: %w", err)
	}
	return signed.Signature, nil
}
