package keystore

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// ImportKeyMaterial gives a key of origin EXTERNAL its material, or material that
// it had before, or, to be made current by RotateKeyOnDemand, new material.
func (k *Keystore) ImportKeyMaterial(ctx context.Context, req *kmsv1.ImportKeyMaterialRequest) (*kmsv1.ImportKeyMaterialResponse, error) {
	i := incoming{req: req, fresh: newBackingKey(timestamppb.New(k.now()))}
	return perform(ctx, k, kmsv1.KeyManagementService_ImportKeyMaterial_FullMethodName, req, plan[*kmsv1.ImportKeyMaterialResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		check:   onKey(func(of *key) error { return k.acceptable(of, req, &i) }),
		change: func(found []target) audit.Intent {
			return audit.Intent{KeyARN: found[0].key.arn, BackingKeyID: i.object().String()}
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.ImportKeyMaterialResponse, error) {
			if err := k.takeIn(ctx, p, i); err != nil {
				return nil, err
			}
			return &kmsv1.ImportKeyMaterialResponse{KeyId: &p.key.arn, KeyMaterialId: new(materialID(i.id()))}, nil
		},
	})
}

// incoming is key material that is imported.
type incoming struct {
	req *kmsv1.ImportKeyMaterialRequest
	// fresh is the material if the key never had it, known if it had; then it is at
	// a place among the key's.
	fresh *storagev1.BackingKey
	known *storagev1.BackingKey
	place int
}

// id is the CKA_ID of the material.
func (i incoming) id() hsmpool.ObjectID {
	if i.known != nil {
		return hsmpool.ObjectID(i.known.GetId())
	}
	return hsmpool.ObjectID(i.fresh.GetId())
}

// object is the CKA_ID that it is imported under: not its own while it is there, so
// that it is only compared.
func (i incoming) object() hsmpool.ObjectID {
	if i.present() {
		return hsmpool.ObjectID(i.fresh.GetId())
	}
	return i.id()
}

// present says whether the key has the material already.
func (i incoming) present() bool { return i.known != nil && !i.known.GetDestroyed() }

// acceptable checks what ImportKeyMaterial is asked for, and finds out which
// material it is.
func (k *Keystore) acceptable(of *key, req *kmsv1.ImportKeyMaterialRequest, i *incoming) error {
	if err := importable(of); err != nil {
		return err
	}
	if err := k.checkImportToken(of, req.GetImportToken()); err != nil {
		return err
	}
	if err := k.checkValidity(req); err != nil {
		return err
	}
	return i.identify(of)
}

// identify finds the material that the request says it imports.
func (i *incoming) identify(of *key) error {
	has := of.record.GetBackingKeys()
	isNew := i.req.GetImportType() == kmsv1.ImportType_IMPORT_TYPE_NEW_KEY_MATERIAL
	switch {
	case i.req.KeyMaterialId != nil && isNew:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "KeyMaterialId cannot be specified with the ImportType NEW_KEY_MATERIAL.")
	case i.req.KeyMaterialId != nil:
		i.place = slices.IndexFunc(has, func(b *storagev1.BackingKey) bool {
			return materialID(hsmpool.ObjectID(b.GetId())) == i.req.GetKeyMaterialId()
		})
		if i.place < 0 {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Key material %s of %s is not found.", i.req.GetKeyMaterialId(), of.arn)
		}
	case len(has) == 0:
		return nil
	case isNew && !of.kind.symmetric():
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "%s is not a symmetric encryption key, and cannot have new key material.", of.arn)
	case isNew && pendingMaterial(of.record) >= 0:
		return invalidState("%s has key material already that is pending rotation.", of.arn)
	case isNew:
		return nil
	default:
		i.place = slices.IndexFunc(has, func(b *storagev1.BackingKey) bool { return b.GetDestroyed() })
		if i.place < 0 {
			i.place = slices.Index(of.backing, of.current())
		}
	}
	i.known = has[i.place]
	return nil
}

// checkValidity checks when the material is to expire.
func (k *Keystore) checkValidity(req *kmsv1.ImportKeyMaterialRequest) error {
	invalid := func(message string) error {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "%s", message)
	}
	if req.GetExpirationModel() == kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_DOES_NOT_EXPIRE {
		if req.ValidTo != nil {
			return invalid("A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
		}
		return nil
	}
	now := k.now()
	switch {
	case req.ValidTo == nil:
		return invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case !req.GetValidTo().AsTime().After(now), req.GetValidTo().AsTime().After(now.Add(longestValidity)):
		return invalid("The validTo date must be in the future, and no more than 365 days from now")
	}
	return nil
}

// takeIn imports the material and stores that it is there. Material that is there
// already is compared, and gets the expiration of the request.
func (k *Keystore) takeIn(ctx context.Context, p *proof, i incoming) error {
	id := i.object()
	imported, err := p.importMaterial(ctx, id, i)
	if err != nil {
		return err
	}
	if i.present() {
		if _, err := p.destroy(ctx, id); err != nil {
			return p.hsmError(ctx, err)
		}
	}
	if err := i.isNew(p.key, imported); err != nil {
		_, failed := p.destroy(ctx, id)
		return errors.Join(err, failed)
	}
	return k.storeMade(ctx, p, i.record(p.key, imported), id)
}

// isNew refuses new material that the key had before.
func (i incoming) isNew(of *key, imported hsmpool.Imported) error {
	if i.known != nil {
		return nil
	}
	for _, b := range of.record.GetBackingKeys() {
		if bytes.Equal(b.GetFingerprint(), imported.Fingerprint) {
			return incorrectMaterial(of, "is not new: the key has, or had, the same")
		}
	}
	return nil
}

func incorrectMaterial(of *key, what string) *Error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_KEY_MATERIAL, "The key material that was imported for %s %s.", of.arn, what)
}

// record is the record of the key once it has the material.
func (i incoming) record(of *key, imported hsmpool.Imported) *storagev1.KeyRecord {
	r := proto.CloneOf(of.record)
	m := i.fresh
	if i.known != nil {
		m = r.BackingKeys[i.place]
		m.Destroyed = nil
	} else {
		if len(r.BackingKeys) > 0 {
			m.Pending = new(true)
		}
		r.BackingKeys = append(r.BackingKeys, m)
	}
	m.Fingerprint, m.ValidTo = imported.Fingerprint, i.req.ValidTo
	if i.req.KeyMaterialDescription != nil {
		m.Description = i.req.KeyMaterialDescription
	}
	if imported.PublicKey != nil {
		r.PublicKey = imported.PublicKey
	}
	if r.GetState() == pendingImport && !lacksMaterial(r) {
		r.State = enabled.Enum()
	}
	return r
}

// importMaterial unwraps the material into the token.
func (p *proof) importMaterial(ctx context.Context, id hsmpool.ObjectID, i incoming) (hsmpool.Imported, error) {
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return hsmpool.Imported{}, err
	}
	parameters := p.key.record.GetImport()
	p.material, p.unsettled = id, true
	imported, err := hsm.Import(ctx, hsmpool.ImportRequest{
		ID: id, Label: p.key.arn, Type: p.key.kind.typ, Use: p.key.kind.use,
		By: hsmpool.ObjectID(parameters.GetWrappingKeyId()), Algorithm: wrappingAlgorithm(parameters.GetAlgorithm()),
		Wrapped: i.req.GetEncryptedKeyMaterial(), Expect: i.known.GetFingerprint(),
	})
	p.note(imported.Trace, err)
	if err == nil {
		return imported, nil
	}
	p.unsettled = mayHaveMade(err)
	var e *hsmpool.Error
	switch errors.As(err, &e); {
	case e != nil && e.Class == hsmpool.Mismatch:
		return imported, incorrectMaterial(p.key, "is another than was imported before").because(err)
	case callersFault(err):
		return imported, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT,
			"The encrypted key material cannot be unwrapped by %s, or is none of the kind that %s needs.", describe.WireName(parameters.GetAlgorithm()), p.key.arn).because(err)
	}
	return imported, p.hsmError(ctx, err)
}

// importTokenVersion is the first byte of every import token.
const importTokenVersion = 1

// importToken names the parameters of an import: version, key, wrapping key. What
// they are is in the key's record.
func importToken(of uuid.UUID, i *storagev1.ImportRecord) []byte {
	return append(append([]byte{importTokenVersion}, of[:]...), i.GetWrappingKeyId()...)
}

// checkImportToken checks that a token is that of the newest parameters of a key.
func (k *Keystore) checkImportToken(of *key, token []byte) error {
	i := of.record.GetImport()
	switch {
	case i == nil || !bytes.Equal(token, importToken(of.id, i)):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_IMPORT_TOKEN, "The import token is not the one that GetParametersForImport answered last for %s.", of.arn)
	case !k.now().Before(i.GetValidTo().AsTime()):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_EXPIRED_IMPORT_TOKEN, "The import token has expired.")
	}
	return nil
}
