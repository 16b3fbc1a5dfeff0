package keystore

import (
	"context"
	"errors"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/blob"
	"github.com/strongroom-kms/strongroom/keystore/publickey"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// errNoProof is answered by a proof that was not granted: a programming error.
var errNoProof = errors.New("the HSM was asked without the checks of perform")

// proof is the leave to use the HSM for one admitted request. perform makes
// and grants it, after every check and the intent; it also keeps, for the
// event, where the work was done.
type proof struct {
	k       *Keystore
	request string
	granted bool
	targets []target
	key     *key // the first target's, nil when it is no key
	using   *key // the key of the last call, nil when it was about none
	// store is the custom key store in whose HSM the work is that is about no key;
	// "" is the default one.
	store string

	trace hsmpool.Trace
	// waited and took are the sums of all calls' times, as in a Trace.
	waited, took time.Duration
	spans        *spans // nil: the request is not traced

	material hsmpool.ObjectID // zero when no backing key was used
	// source is the backing key that decrypted, when another one, material,
	// has encrypted.
	source hsmpool.ObjectID
	// revision is that of the metadata after the last change; 0: none was made.
	revision uint64
	// destroyed is what became of the backing keys of a key that is deleted.
	destroyed []destruction
	// unsettled says that material may or may not be in the token, and that
	// nothing else knows of it.
	unsettled bool
}

func newProof(k *Keystore, requestID string) *proof {
	return &proof{k: k, request: requestID}
}

func (p *proof) grant(targets []target) {
	p.targets, p.granted = targets, true
	if len(targets) > 0 {
		p.key = targets[0].key
		p.using = p.key
	}
}

// grantKey is grant for one key, which may be nil.
func (p *proof) grantKey(k *key) { p.grant([]target{{key: k}}) }

// hsm returns the HSM of the key that is used, and the context that carries the
// request's id to it.
func (p *proof) hsm(ctx context.Context) (context.Context, HSM, error) {
	if !p.granted {
		return nil, nil, errNoProof
	}
	ctx = hsmpool.WithRequestID(ctx, p.request)
	id := p.storeID()
	if id == "" {
		return ctx, p.k.hsm, nil
	}
	c, ok := p.k.connections.Get(id)
	if !ok {
		return nil, nil, p.notConnected()
	}
	return ctx, c, nil
}

// storeID is the custom key store whose HSM is asked; "" is the default one.
func (p *proof) storeID() string {
	if p.using != nil {
		return p.using.store()
	}
	return p.store
}

// drawing is hsm for what counts against the quota of a custom key store.
func (p *proof) drawing(ctx context.Context) (context.Context, HSM, error) {
	ctx, h, err := p.hsm(ctx)
	if err != nil {
		return nil, nil, err
	}
	if c, ok := h.(*connection); ok && c.quota != nil && !c.quota.Allow() {
		return nil, nil, tooFast()
	}
	return ctx, h, nil
}

// note remembers where the last call was done, also when it failed.
func (p *proof) note(t hsmpool.Trace, err error) {
	var e *hsmpool.Error
	if errors.As(err, &e) {
		t = hsmpool.Trace{HSM: e.HSM, Function: e.Function, RV: e.RV, Waited: t.Waited, Took: t.Took}
	}
	p.trace = t
	p.timed(t, err)
}

// seal encrypts under the current backing key of the last target's key and
// returns the blob.
func (p *proof) seal(ctx context.Context, plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	ctx, hsm, h, err := p.sealer(ctx)
	if err != nil {
		return nil, err
	}
	s, err := hsm.Seal(ctx, p.material, plaintext, blob.AAD(h, encryptionContext))
	p.note(s.Trace, err)
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return blob.Marshal(h, s.IV, s.Ciphertext)
}

// sealRandom makes n random bytes in the HSM and encrypts them likewise. The
// plaintext leaves the HSM worker only when keep is set.
func (p *proof) sealRandom(ctx context.Context, n int, keep bool, encryptionContext map[string]string) (sealed, plaintext []byte, err error) {
	ctx, hsm, h, err := p.sealer(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := hsm.SealRandom(ctx, p.material, n, keep, blob.AAD(h, encryptionContext))
	p.note(s.Trace, err)
	if err != nil {
		return nil, nil, p.hsmError(ctx, err)
	}
	sealed, err = blob.Marshal(h, s.IV, s.Ciphertext)
	return sealed, s.Plaintext, err
}

// sealer picks the backing key that encrypts and takes one invocation of it.
func (p *proof) sealer(ctx context.Context) (context.Context, HSM, blob.Header, error) {
	by, err := p.encrypter()
	if err != nil {
		return nil, nil, blob.Header{}, err
	}
	ctx, hsm, err := p.drawing(ctx)
	if err != nil {
		return nil, nil, blob.Header{}, err
	}
	if err := p.k.meter.take(ctx, by, p.material); err != nil {
		return nil, nil, blob.Header{}, err
	}
	return ctx, hsm, blob.Header{KeyID: by.id, BackingKeyID: p.material}, nil
}

// encrypter returns the last target's key and notes that its current material is
// used.
func (p *proof) encrypter() (*key, error) {
	if !p.granted {
		return nil, errNoProof
	}
	by := p.targets[len(p.targets)-1].key
	p.using, p.material = by, by.current()
	return by, nil
}

// open decrypts a blob that one of the backing keys of the first target's key
// made.
func (p *proof) open(ctx context.Context, b blob.Blob, encryptionContext map[string]string) ([]byte, error) {
	ctx, hsm, err := p.drawing(ctx)
	if err != nil {
		return nil, err
	}
	p.material = b.Header.BackingKeyID
	o, err := hsm.Open(ctx, p.material, b.IV[:], b.Ciphertext, blob.AAD(b.Header, encryptionContext))
	p.note(o.Trace, err)
	var e *hsmpool.Error
	if errors.As(err, &e) && e.Class == hsmpool.Caller {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT,
			"The ciphertext of key %s, or its encryption context, is not what was encrypted.", p.key.arn).because(err)
	}
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return o.Plaintext, nil
}

// encrypt encrypts under the last target's key, by its algorithm.
func (p *proof) encrypt(ctx context.Context, a kmsv1.EncryptionAlgorithmSpec, plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	if a == symmetricDefault {
		return p.seal(ctx, plaintext, encryptionContext)
	}
	by, err := p.encrypter()
	if err != nil {
		return nil, err
	}
	_, h := oaepOf(a)
	return publickey.EncryptOAEP(by.record.GetPublicKey(), h, plaintext)
}

// decrypt decrypts a ciphertext of the first target's key, by its algorithm; b is
// the ciphertext of a symmetric one.
func (p *proof) decrypt(ctx context.Context, a kmsv1.EncryptionAlgorithmSpec, ciphertext []byte, b blob.Blob, encryptionContext map[string]string) ([]byte, error) {
	if a == symmetricDefault {
		return p.open(ctx, b, encryptionContext)
	}
	return p.decryptOAEP(ctx, a, ciphertext)
}

// random makes n random bytes in the HSM.
func (p *proof) random(ctx context.Context, n int) ([]byte, error) {
	ctx, hsm, err := p.drawing(ctx)
	if err != nil {
		return nil, err
	}
	b, trace, err := hsm.Random(ctx, n)
	p.note(trace, err)
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	return b, nil
}

// generate makes a backing key with the key's ARN as its label, and returns the
// public key if it has one.
func (p *proof) generate(ctx context.Context, id hsmpool.ObjectID, label string, of kind) (publicKey []byte, err error) {
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return nil, err
	}
	p.material, p.unsettled = id, true
	made, err := hsm.Generate(ctx, hsmpool.GenerateRequest{ID: id, Label: label, Type: of.typ, Use: of.use})
	p.note(made.Trace, err)
	if err != nil {
		p.unsettled = mayHaveMade(err)
		return nil, p.hsmError(ctx, err)
	}
	return made.PublicKey, nil
}

// mayHaveMade says whether a generation that failed may have left a key: one that was
// not asked has made none, and else only an HSM that answered knows that it has not.
func mayHaveMade(err error) bool {
	var e *hsmpool.Error
	if !errors.As(err, &e) {
		return true
	}
	if e.Unasked {
		return false
	}
	return e.Class == hsmpool.Timeout || e.Class == hsmpool.Unavailable || e.Class == hsmpool.Internal
}

// destroy removes a backing key: one of a key that is deleted, or one that this
// request, or one that was cut off, made. One that is missing is no error.
func (p *proof) destroy(ctx context.Context, id hsmpool.ObjectID) (missing bool, err error) {
	ctx, hsm, err := p.hsm(ctx)
	if err != nil {
		return false, err
	}
	p.material = id
	trace, err := hsm.Destroy(ctx, id)
	p.note(trace, err)
	var e *hsmpool.Error
	if errors.As(err, &e) && e.Class == hsmpool.ObjectMissing {
		missing, err = true, nil
	}
	p.unsettled = p.unsettled && err != nil
	return missing, err
}
