//go:build cgo

package worker

import (
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// wrapMethod is how key material is wrapped.
type wrapMethod struct {
	// hash is RSA-OAEP's.
	hash crypto.Hash
	// twice: RSA-OAEP wraps an AES key, and this, by RFC 5649, the material
	// (CKM_RSA_AES_KEY_WRAP). Otherwise RSA-OAEP wraps the material.
	twice bool
}

func wrapMethodOf(a kind.Algorithm) (wrapMethod, error) {
	switch a {
	case kind.WrapOAEPSHA1:
		return wrapMethod{hash: crypto.SHA1}, nil
	case kind.WrapOAEPSHA256:
		return wrapMethod{hash: crypto.SHA256}, nil
	case kind.WrapRSAAESSHA1:
		return wrapMethod{hash: crypto.SHA1, twice: true}, nil
	case kind.WrapRSAAESSHA256:
		return wrapMethod{hash: crypto.SHA256, twice: true}, nil
	default:
		return wrapMethod{}, fmt.Errorf("%q is no algorithm that wraps", a)
	}
}

// unwrapping is key material that is to become a key of a design.
type unwrapping struct {
	design
	wrapMethod
	// by is the RSA key's id.
	by        objectID
	wrapped   []byte
	requestID string
}

// brought is key material in the token.
type brought struct {
	key pkcs11.ObjectHandle
	// spki is the public key, if it was found out on the way.
	spki  []byte
	means kind.Means
	// function is the C_ function that made the key.
	function string
}

// unwrap makes u's key, of the token or of the session, by the RSA key obj. Whatever else
// it needs in the token is in the bag. The material goes through this process's memory if
// the token cannot unwrap it or could not tell its public key, and the profile allows it.
func (b *bag) unwrap(u *unwrapping, obj *object, ofToken bool) (k brought, err error) {
	public, res := b.ready(obj, rsaKeys)
	if public == nil {
		return brought{}, res.err()
	}
	size := public.rsa.Size()
	if !u.wellFormed(size) || !fits(u.wrapped[:size], public.rsa) {
		return brought{}, callers(errWrapped)
	}
	template, call := u.template(), u.call(ofToken)
	if !ofToken {
		template = u.sessionTemplate()
	}
	switch {
	case u.pair() && u.bits == 0 && b.token.profile.workerMemory:
		k, err = b.unwrapCurveKey(u, obj, size, template, call)
	case u.twice:
		k, err = b.unwrapTwice(u, obj, size, template, call)
	case u.pair():
		k.means = kind.InToken
		k.key, err = b.token.unwrap(b.session, oaep(u.hash), obj.handle, u.wrapped, template, call)
	default:
		k, err = b.unwrapOAEP(secret{u.hash, u.wrapped, []uint{u.length}}, obj, template, call)
	}
	k.function = call.GetFunction()
	return k, err
}

// errWrapped stands for all that can be wrong with wrapped material until uniformUnwrap.
var errWrapped = errors.New("bad wrapped key material")

// wellFormed tells whether the material is as long as it must be under an RSA key of so many
// bytes.
func (u *unwrapping) wellFormed(size int) bool {
	if u.twice {
		return len(u.wrapped) >= size+2*semiblock && (len(u.wrapped)-size)%semiblock == 0
	}
	return len(u.wrapped) == size
}

// call announces what makes the key.
func (u *unwrapping) call(ofToken bool) *workerv1.Call {
	return &workerv1.Call{TokenObject: ofToken, KeyLabel: u.label, KeyId: u.id.String(), RequestId: u.requestID}
}

// sessionTemplate is that of a copy which is tried before anything is stored.
func (u *unwrapping) sessionTemplate() []*pkcs11.Attribute {
	t := slices.DeleteFunc(u.template(), func(a *pkcs11.Attribute) bool {
		return slices.Contains([]uint{pkcs11.CKA_TOKEN, pkcs11.CKA_ID, pkcs11.CKA_LABEL}, a.Type)
	})
	return append(t, pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false))
}

// secret is what RSA-OAEP wraps, of one of some lengths in bytes.
type secret struct {
	hash    crypto.Hash
	wrapped []byte
	lengths []uint
}

// unwrapOAEP has the token unwrap a secret, or decrypts it and hands it to the token.
func (b *bag) unwrapOAEP(s secret, obj *object, template []*pkcs11.Attribute, call *workerv1.Call) (brought, error) {
	if s.hash == crypto.SHA1 || !b.token.rawUnwrap.Load() {
		key, err := b.token.unwrap(b.session, oaep(s.hash), obj.handle, s.wrapped, template, call)
		if err == nil || s.hash == crypto.SHA1 || !refusesUnwrap(err) {
			return brought{key: key, means: kind.InToken}, err
		}
		b.token.rawUnwrap.Store(true)
	}
	value, err := b.plainOAEP(s.hash, s.wrapped, obj)
	if err != nil {
		return brought{}, err
	}
	if !slices.Contains(s.lengths, uint(len(value))) {
		return brought{}, wrongLength(s.lengths)
	}
	key, err := b.token.create(b.session, append(template, pkcs11.NewAttribute(pkcs11.CKA_VALUE, value)), call)
	return brought{key: key, means: kind.ThroughWorker}, err
}

// refusesUnwrap tells whether the token does not unwrap by RSA-OAEP with another hash than
// SHA-1.
func refusesUnwrap(err error) bool {
	var op *opError
	return errors.As(err, &op) &&
		slices.Contains([]ckr.RV{ckr.ArgumentsBad, ckr.MechanismParamInvalid, ckr.MechanismInvalid}, rvOf(op.err))
}

// plainOAEP decrypts key material into the executor's memory, which is wiped after the
// request.
func (b *bag) plainOAEP(hash crypto.Hash, wrapped []byte, obj *object) ([]byte, error) {
	if p := b.token.profile; !p.workerMemory {
		return nil, unsupported("the token does not unwrap by %s with %s, and the profile %s keeps key material out of the worker's memory",
			oaep(hash).name, hash, p.name)
	}
	value, res := b.decryptOnce(obj, hash, wrapped)
	return value, res.err()
}

// unwrapTwice unwraps the AES key, and by it the material: in one call where the token
// knows how, otherwise by an AES key of the session.
func (b *bag) unwrapTwice(u *unwrapping, obj *object, size int, template []*pkcs11.Attribute, call *workerv1.Call) (brought, error) {
	if by := b.token.wrapsTwice(); by.kind == ckmRSAAESKeyWrap {
		by.params, by.nested = []uint{wrappingKeyBits}, oaep(u.hash).params
		key, err := b.token.unwrap(b.session, by, obj.handle, u.wrapped, template, call)
		return brought{key: key, means: kind.InToken}, err
	}
	aes := secret{u.hash, u.wrapped[:size], []uint{16, 24, 32}}
	by, err := b.unwrapOAEP(aes, obj, unwrappingTemplate(), &workerv1.Call{RequestId: u.requestID})
	if err != nil {
		return brought{}, err
	}
	b.handles = append(b.handles, by.key)
	key, err := b.token.unwrap(b.session, b.token.profile.keyWrap, by.key, u.wrapped[size:], template, call)
	return brought{key: key, means: by.means}, err
}

// wrappingKeyBits is the length of the AES key that CKM_RSA_AES_KEY_WRAP is told.
const wrappingKeyBits = 256

// unwrappingTemplate is that of an AES key which unwraps one thing.
func unwrappingTemplate() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, true),
	}
}

// unwrapCurveKey reads a private key on a curve in the worker's memory, since a token that
// unwraps it does not tell the point, and hands it to the token.
func (b *bag) unwrapCurveKey(u *unwrapping, obj *object, size int, template []*pkcs11.Attribute, call *workerv1.Call) (brought, error) {
	content, err := b.plainOAEP(u.hash, u.wrapped[:size], obj)
	if err != nil {
		return brought{}, err
	}
	if u.twice {
		if content, err = unwrapPadded(content, u.wrapped[size:]); err != nil {
			return brought{}, callers(errWrapped)
		}
		defer clear(content)
	}
	private, err := parseCurveKey(u.spec, content)
	if err != nil {
		return brought{}, callers(err)
	}
	defer clear(private.value)
	template = append(template, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, u.params), pkcs11.NewAttribute(pkcs11.CKA_VALUE, private.value))
	key, err := b.token.create(b.session, template, call)
	return brought{key: key, spki: private.spki, means: kind.ThroughWorker}, err
}
