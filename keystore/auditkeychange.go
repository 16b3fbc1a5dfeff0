package keystore

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// createAuditKey is the event of the first audit key, which the service makes of itself.
const createAuditKey = "CreateAuditKey"

// auditKeyCreation is an audit key before it is made, and the one that it replaces.
type auditKeyCreation struct {
	record *storagev1.AuditKeyRecord
	old    *storedAuditKey // nil: it is the first one
}

func (c *auditKeyCreation) id() hsmpool.ObjectID { return hsmpool.ObjectID(c.record.GetId()) }

func newAuditKey(old *storedAuditKey) *auditKeyCreation {
	now := timestamppb.Now()
	return &auditKeyCreation{record: &storagev1.AuditKeyRecord{Id: newBackingKey(now).Id, Created: now}, old: old}
}

// RotateAuditKey replaces the key that signs digests.
func (o *operator) RotateAuditKey(ctx context.Context, req *operatorv1.RotateAuditKeyRequest) (*operatorv1.RotateAuditKeyResponse, error) {
	var c *auditKeyCreation
	return perform(ctx, o.k, operatorv1.OperatorService_RotateAuditKey_FullMethodName, req, plan[*operatorv1.RotateAuditKeyResponse]{
		targets: o.k.inDirectory(),
		check: func([]target) error {
			c = newAuditKey(o.k.directory.snapshot().auditKey())
			return nil
		},
		change: func([]target) audit.Intent {
			return audit.Intent{ResourceARN: o.k.scope.auditKeyARN(c.id().String()), BackingKeyID: c.id().String()}
		},
		run: func(ctx context.Context, p *proof) (*operatorv1.RotateAuditKeyResponse, error) {
			made, err := o.k.makeAuditKey(ctx, p, c)
			if err != nil {
				return nil, err
			}
			return &operatorv1.RotateAuditKeyResponse{SigningKey: describeAuditKey(made.AuditKey)}, nil
		},
	})
}

// firstAuditKey returns the audit key that signs, and makes it if there is none.
func (k *Keystore) firstAuditKey(ctx context.Context) (*storedAuditKey, error) {
	if current := k.directory.snapshot().auditKey(); current != nil {
		return current, nil
	}
	held, err := k.changes.begin(ctx, k.scope.globalPrefix())
	if err != nil {
		return nil, fmt.Errorf("waiting for other changes to end: %w", err)
	}
	if current, err := k.auditKeyNow(); current != nil || err != nil {
		held.end()
		return current, err
	}
	c := newAuditKey(nil)
	var made *storedAuditKey
	about := audit.Intent{ResourceARN: k.scope.auditKeyARN(c.id().String())}
	work := &chore{name: createAuditKey, material: c.id().String()}
	work.run = func(ctx context.Context, p *proof) (err error) {
		if made, err = k.makeAuditKey(ctx, p, c); err == nil {
			work.details = auditKeyDetails(about.ResourceARN, made)
		}
		return err
	}
	if err := k.announceAndDo(ctx, about, nil, work, held); err != nil {
		return nil, err
	}
	return made, nil
}

// auditKeyNow is asked while nobody else changes it, and says whether a first audit key
// can be made.
func (k *Keystore) auditKeyNow() (*storedAuditKey, error) {
	if err := k.fresh(); err != nil {
		return nil, err
	}
	if current := k.directory.snapshot().auditKey(); current != nil {
		return current, nil
	}
	return nil, k.available("")
}

// auditKeyDetails has the public key in the journal too, where no restore of older
// metadata takes it back.
func auditKeyDetails(arn string, a *storedAuditKey) []byte {
	b := jsonenc.AppendString([]byte(`{"resourceArn":`), arn)
	b = jsonenc.AppendString(append(b, `,"fingerprint":`...), a.Fingerprint)
	b = jsonenc.AppendString(append(b, `,"publicKey":`...), base64.StdEncoding.EncodeToString(a.PublicKey))
	return append(b, '}')
}

// makeAuditKey makes an audit key and stores its record, by which it is the one that signs.
// The private key before it is destroyed then, so that nothing can be signed by it any
// more; if that fails it stays, unused. A key whose record is certainly not stored is
// destroyed again.
func (k *Keystore) makeAuditKey(ctx context.Context, p *proof, c *auditKeyCreation) (*storedAuditKey, error) {
	made, err := k.generateAuditKey(ctx, p, c)
	if err != nil {
		return nil, err
	}
	if err := k.storeAuditKey(ctx, p, c); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		kept, undone := k.undoMaking(ctx, p, c.id(), k.scope.auditKeyPath(c.id().String()), new(storagev1.AuditKeyRecord))
		p.unsettled = p.unsettled && !kept
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The audit key could not be stored.").because(errors.Join(err, undone))
	}
	p.unsettled = false
	k.log.Info("a key that signs the digests of the audit trails was made", "fingerprint", made.Fingerprint, "key_id", made.id, "request_id", p.request)
	k.destroyRetired(ctx, p, c)
	return made, nil
}

func (k *Keystore) generateAuditKey(ctx context.Context, p *proof, c *auditKeyCreation) (*storedAuditKey, error) {
	spki, err := p.generate(ctx, c.id(), k.scope.auditKeyARN(c.id().String()), kind{typ: hsmpool.RSA2048, use: hsmpool.Sign})
	if err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("reading the public key of the audit key: %w", err)
	}
	of, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the HSM made a key of type %T, not RSA", public)
	}
	c.record.PublicKey = x509.MarshalPKCS1PublicKey(of)
	return newStoredAuditKey(c.record, 0)
}

// storeAuditKey stores an audit key, and with it that the one before is retired.
func (k *Keystore) storeAuditKey(ctx context.Context, p *proof, c *auditKeyCreation) error {
	c.record.ChangedBy = &p.request
	txn, err := putNew(metadata.Txn{}, k.scope.auditKeyPath(c.id().String()), c.record, 0)
	if err == nil && c.old != nil {
		retired := proto.CloneOf(c.old.record)
		retired.Retired, retired.ChangedBy = c.record.Created, &p.request
		txn, err = putNew(txn, k.scope.auditKeyPath(c.old.id.String()), retired, c.old.revision)
	}
	if err != nil {
		return err
	}
	return k.commitDirectory(ctx, p, "audit key "+c.id().String(), txn)
}

// putNew adds to a transaction that a message replaces the one of a revision, 0 if there
// is none.
func putNew(t metadata.Txn, path string, m proto.Message, revision uint64) (metadata.Txn, error) {
	value, err := encodeValue(m)
	if err != nil {
		return t, fmt.Errorf("encoding %s: %w", path, err)
	}
	t.Conditions = append(t.Conditions, metadata.Condition{Key: path, Revision: revision})
	t.Puts = append(t.Puts, metadata.KeyValue{Key: path, Value: value})
	return t, nil
}

// destroyRetired destroys the private key that was replaced; one that is lost is no error.
func (k *Keystore) destroyRetired(ctx context.Context, p *proof, c *auditKeyCreation) {
	if c.old == nil {
		return
	}
	if _, err := p.destroy(ctx, c.old.id); err != nil {
		k.log.Warn("the audit key that was replaced could not be destroyed; it stays in the HSM, and signs no more",
			"fingerprint", c.old.Fingerprint, "key_id", c.old.id, "request_id", p.request, "error", err)
	}
	p.material = c.id() // whatever was done last, the event is about the new key
}

// isAuditKey says whether an ARN is that of an audit key, of whatever account.
func isAuditKey(arn string) bool {
	return strings.HasPrefix(arn, "arn:aws:iam::") && strings.Contains(arn, ":audit-key/")
}
