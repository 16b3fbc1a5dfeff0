package keystore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	// maxAccessKeys is how many access keys a principal may have, as in AWS IAM.
	maxAccessKeys = 2
	// secretSize is the size of a secret in random bytes: 40 characters in base64.
	secretSize = 30
)

// CreateAccessKey gives a principal an access key. It is in force when it is
// answered. With the first one of all, the key that seals secrets is made.
func (o *operator) CreateAccessKey(ctx context.Context, req *operatorv1.CreateAccessKeyRequest) (*operatorv1.CreateAccessKeyResponse, error) {
	var c *accessKeyCreation
	return perform(ctx, o.k, operatorv1.OperatorService_CreateAccessKey_FullMethodName, req, plan[*operatorv1.CreateAccessKeyResponse]{
		targets: o.k.inDirectory(),
		check: func([]target) (err error) {
			c, err = o.k.newAccessKey(req.GetPrincipal())
			return err
		},
		change: func([]target) audit.Intent {
			i := audit.Intent{ResourceARN: o.k.scope.accessKeyARN(c.record.GetAccessKeyId())}
			if c.makesSealing {
				i.BackingKeyID = c.sealingID().String()
			}
			return i
		},
		run: func(ctx context.Context, p *proof) (*operatorv1.CreateAccessKeyResponse, error) {
			secret, err := o.k.createAccessKey(ctx, p, c)
			if err != nil {
				return nil, err
			}
			return &operatorv1.CreateAccessKeyResponse{AccessKey: describeAccessKey(c.record), SecretAccessKey: &secret}, nil
		},
	})
}

// DeleteAccessKey removes an access key. With the last one of all, the key that
// sealed secrets is destroyed.
func (o *operator) DeleteAccessKey(ctx context.Context, req *operatorv1.DeleteAccessKeyRequest) (*operatorv1.DeleteAccessKeyResponse, error) {
	var d *accessKeyDeletion
	return perform(ctx, o.k, operatorv1.OperatorService_DeleteAccessKey_FullMethodName, req, plan[*operatorv1.DeleteAccessKeyResponse]{
		targets: o.k.inDirectory(),
		check: func([]target) (err error) {
			d, err = newAccessKeyDeletion(req.GetAccessKeyId(), o.k.directory.snapshot())
			return err
		},
		change: func([]target) audit.Intent {
			i := audit.Intent{ResourceARN: o.k.scope.accessKeyARN(req.GetAccessKeyId())}
			if d.sealing != nil {
				i.BackingKeyID = d.key.sealing.String()
			}
			return i
		},
		run: func(ctx context.Context, p *proof) (*operatorv1.DeleteAccessKeyResponse, error) {
			if err := o.k.deleteAccessKey(ctx, p, d); err != nil {
				return nil, err
			}
			return new(operatorv1.DeleteAccessKeyResponse), nil
		},
	})
}

// ListAccessKeys lists the access keys that are stored.
func (o *operator) ListAccessKeys(ctx context.Context, req *operatorv1.ListAccessKeysRequest) (*operatorv1.ListAccessKeysResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_ListAccessKeys_FullMethodName, req, plan[*operatorv1.ListAccessKeysResponse]{
		run: func(context.Context, *proof) (*operatorv1.ListAccessKeysResponse, error) {
			res := new(operatorv1.ListAccessKeysResponse)
			for _, a := range o.k.directory.snapshot().accessKeysOf(req.GetPrincipal()) {
				res.AccessKeys = append(res.AccessKeys, describeAccessKey(a.record))
			}
			return res, nil
		},
	})
}

func describeAccessKey(r *storagev1.AccessKeyRecord) *operatorv1.AccessKey {
	return &operatorv1.AccessKey{AccessKeyId: r.AccessKeyId, Principal: r.Principal, Created: r.Created}
}

// accessKeyCreation is an access key before anything is made: its secret is
// missing yet.
type accessKeyCreation struct {
	record  *storagev1.AccessKeyRecord
	sealing *storagev1.SealingKeyRecord
	// makesSealing says that the sealing key is made too.
	makesSealing bool
	// revision is that of the sealing key's record; 0: there is none.
	revision uint64
}

func (c *accessKeyCreation) sealingID() hsmpool.ObjectID { return hsmpool.ObjectID(c.sealing.GetId()) }

// newAccessKey says whether a principal may have one more access key, and
// describes it. While there is no access key at all no sealing key is relied on:
// the record of one may be that of a restored backup, and the key gone.
func (k *Keystore) newAccessKey(principal string) (*accessKeyCreation, error) {
	stored := k.directory.snapshot()
	if k.directory.accessKeys.Load().principals[principal] == "" {
		return nil, badMember("principal", "there is no principal %s", principal)
	}
	if n := len(stored.accessKeysOf(principal)); n >= maxAccessKeys {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED,
			"The principal %s has %d access keys already, and may not have more; delete one first.", principal, n)
	}
	if err := checkRoom("access keys", len(stored.accessKeys)+1, 0); err != nil {
		return nil, err
	}
	now := timestamppb.Now()
	c := &accessKeyCreation{record: &storagev1.AccessKeyRecord{AccessKeyId: new(newAccessKeyID()), Principal: &principal, Created: now}}
	if stored.sealing != nil {
		c.sealing, c.revision = proto.CloneOf(stored.sealing.record), stored.sealing.revision
	}
	if stored.sealing == nil || len(stored.accessKeys) == 0 {
		c.sealing, c.makesSealing = &storagev1.SealingKeyRecord{Id: newBackingKey(now).Id, Created: now}, true
	}
	c.record.SealingKeyId = c.sealing.GetId()
	return c, nil
}

// newAccessKeyID makes an id: as AWS's, "AKIA" and 16 of A-Z and 2-7.
func newAccessKeyID() string { return "AKIA" + rand.Text()[:16] }

// createAccessKey makes the sealing key if there is none, makes the secret and
// stores it sealed. When that is certainly not stored, a new sealing key is
// destroyed again.
func (k *Keystore) createAccessKey(ctx context.Context, p *proof, c *accessKeyCreation) (secret string, err error) {
	if c.makesSealing {
		if _, err := p.generate(ctx, c.sealingID(), k.scope.sealingKeyARN(), kind{typ: hsmpool.AES256, use: hsmpool.Encrypt}); err != nil {
			return "", err
		}
	}
	secret, err = p.sealNewSecret(ctx, c)
	if err == nil {
		err = k.storeAccessKey(ctx, p, c)
	}
	if err == nil {
		p.unsettled = false
		return secret, nil
	}
	if !c.makesSealing {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	kept, undone := k.undoMaking(ctx, p, c.sealingID(), k.scope.accessKeyPath(c.record.GetAccessKeyId()), new(storagev1.AccessKeyRecord))
	p.unsettled = p.unsettled && !kept
	return "", errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The access key could not be stored.").because(errors.Join(err, undone))
}

// sealNewSecret makes the secret of an access key in the HSM, and encrypts it
// there.
func (p *proof) sealNewSecret(ctx context.Context, c *accessKeyCreation) (string, error) {
	b, err := p.random(ctx, secretSize)
	if err != nil {
		return "", err
	}
	secret := base64.StdEncoding.AppendEncode(nil, b)
	clear(b)
	defer clear(secret)
	if c.record.SealedSecret, err = p.sealSecret(ctx, c.sealingID(), secret, c.record.GetAccessKeyId()); err != nil {
		return "", p.hsmError(ctx, err)
	}
	return string(secret), nil
}

// storeAccessKey stores an access key. The record of its sealing key is written
// anew with it, so that nobody removes that at the same time.
func (k *Keystore) storeAccessKey(ctx context.Context, p *proof, c *accessKeyCreation) error {
	c.record.ChangedBy, c.sealing.ChangedBy = &p.request, &p.request
	path := k.scope.accessKeyPath(c.record.GetAccessKeyId())
	value, err := encodeValue(c.record)
	if err != nil {
		return err
	}
	sealing, err := encodeValue(c.sealing)
	if err != nil {
		return err
	}
	return k.commitDirectory(ctx, p, "access key "+c.record.GetAccessKeyId(), metadata.Txn{
		Conditions: []metadata.Condition{{Key: path}, {Key: k.scope.sealingKeyPath(), Revision: c.revision}},
		Puts:       []metadata.KeyValue{{Key: path, Value: value}, {Key: k.scope.sealingKeyPath(), Value: sealing}},
	})
}

// accessKeyDeletion is the deletion of an access key, and of the sealing key if
// it is the last one.
type accessKeyDeletion struct {
	key     *storedAccessKey
	sealing *storedSealingKey // nil: it is kept
}

func newAccessKeyDeletion(id string, stored directoryContents) (*accessKeyDeletion, error) {
	d := &accessKeyDeletion{key: stored.accessKeys[id]}
	if d.key == nil {
		return nil, badMember("accessKeyId", "there is no access key %s", id)
	}
	if len(stored.accessKeys) == 1 {
		d.sealing = stored.sealing
	}
	return d, nil
}

// deleteAccessKey removes an access key. If nothing is sealed any more, the sealing
// key goes too: if it cannot be destroyed now, it is later.
func (k *Keystore) deleteAccessKey(ctx context.Context, p *proof, d *accessKeyDeletion) error {
	id := d.key.record.GetAccessKeyId()
	path := k.scope.accessKeyPath(id)
	txn := metadata.Txn{Conditions: []metadata.Condition{{Key: path, Revision: d.key.revision}}, Deletes: []string{path}}
	if d.sealing != nil {
		txn.Conditions = append(txn.Conditions, metadata.Condition{Key: k.scope.sealingKeyPath(), Revision: d.sealing.revision})
		txn.Deletes = append(txn.Deletes, k.scope.sealingKeyPath())
	}
	if err := k.commitDirectory(ctx, p, "access key "+id, txn); err != nil || d.sealing == nil {
		return err
	}
	p.unsettled = true
	if _, err := p.destroy(ctx, d.key.sealing); err != nil {
		k.log.Warn("the key that sealed the secrets of deleted access keys could not be destroyed; it is tried again",
			"backing_key_id", d.key.sealing, "request_id", p.request, "error", err)
	}
	return nil
}

// isAccessKey says whether an ARN is that of an access key, of whatever account.
func isAccessKey(arn string) bool {
	return strings.HasPrefix(arn, "arn:aws:iam::") && strings.Contains(arn, ":access-key/")
}
