//go:build cgo

package worker

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// decrypt decrypts by RSA-OAEP.
func (e *executor) decrypt(r *workerv1.DecryptRequest) *workerv1.Reply {
	id, err := parseID(r.GetObjectId())
	if err != nil {
		return failed(err)
	}
	hash, err := oaepHash(kind.Algorithm(r.GetAlgorithm()))
	if err != nil {
		return failed(internal(err))
	}
	reply := &workerv1.Reply{}
	err = e.withKey(task{
		id: id, doing: "decrypting",
		canary: func(obj *object) bool { return e.canaryDecrypts(obj, hash) },
		do: func(obj *object) result {
			message, res := e.decryptOnce(obj, hash, r.GetCiphertext())
			reply.Plaintext = message
			return res
		},
	}, reply)
	if err != nil {
		return failed(uniform(err))
	}
	return reply
}

// uniform gives everything that can be wrong with a ciphertext one answer, which does not
// tell a ciphertext that is no number below the modulus from one that is padded wrongly,
// nor who found that out. The code is the standard's for it.
func uniform(err error) error {
	var f *fault
	if !errors.As(err, &f) || f.class != workerv1.FailureClass_FAILURE_CLASS_CALLER {
		return err
	}
	same := callers(errors.New("the ciphertext cannot be decrypted"))
	same.function, same.rv = "C_Decrypt", ckr.EncryptedDataInvalid
	return same
}

// errCiphertext stands for all that can be wrong with a ciphertext until uniform.
var errCiphertext = errors.New("bad ciphertext")

func oaepHash(a kind.Algorithm) (crypto.Hash, error) {
	switch a {
	case kind.OAEPSHA1:
		return crypto.SHA1, nil
	case kind.OAEPSHA256:
		return crypto.SHA256, nil
	default:
		return 0, fmt.Errorf("%q is no algorithm that decrypts", a)
	}
}

// decryptOnce returns the message, in the executor's memory. Tokens that know OAEP by SHA-1
// only say so when they are given the mechanism, before the ciphertext; then raw RSA is
// done in the token and the padding is taken off here.
func (e *executor) decryptOnce(obj *object, hash crypto.Hash, ciphertext []byte) ([]byte, result) {
	public, res := e.ready(obj, rsaKeys)
	if public == nil {
		return nil, res
	}
	if !fits(ciphertext, public.rsa) {
		return nil, result{wrong: callers(errCiphertext)}
	}
	if !e.token.rawOAEP.Load() || hash == crypto.SHA1 {
		e.out = sized(e.out, public.rsa.Size())
		n, res := e.token.hot.decrypt(operation{session: uint(e.session), key: uint(obj.handle), by: oaep(hash), in: ciphertext}, e.out)
		if !refusesHash(res) || hash == crypto.SHA1 {
			return e.out[:n], res
		}
		e.token.rawOAEP.Store(true)
	}
	return e.decryptRaw(obj, public.rsa, hash, ciphertext)
}

// refusesHash tells whether the token does not know OAEP with the parameters it was given.
func refusesHash(res result) bool {
	return res.function == "C_DecryptInit" &&
		slices.Contains([]ckr.RV{ckr.ArgumentsBad, ckr.MechanismParamInvalid, ckr.MechanismInvalid}, res.rv)
}

// decryptRaw decrypts without padding in the token, and takes OAEP's off.
func (e *executor) decryptRaw(obj *object, key *rsa.PublicKey, hash crypto.Hash, ciphertext []byte) ([]byte, result) {
	e.plain = sized(e.plain, key.Size())
	n, res := e.token.hot.decrypt(operation{session: uint(e.session), key: uint(obj.handle), by: rawRSA(), in: ciphertext}, e.plain)
	if res.rv != ckr.OK || res.wrong != nil {
		return nil, res
	}
	if n != len(e.plain) {
		res.wrong = fmt.Errorf("the token's raw RSA answered %d bytes, not %d", n, len(e.plain))
		return nil, res
	}
	message, ok := unpadOAEP(e.plain, hash)
	if !ok {
		res.wrong = callers(errCiphertext)
	}
	return message, res
}

func rawRSA() mechanism { return mechanism{kind: pkcs11.CKM_RSA_X_509, name: "CKM_RSA_X_509"} }

// fits tells whether a ciphertext is one of the key's: as long as its modulus and below it.
func fits(ciphertext []byte, key *rsa.PublicKey) bool {
	return len(ciphertext) == key.Size() && new(big.Int).SetBytes(ciphertext).Cmp(key.N) < 0
}

// canaryDecrypts tells whether the session and the key still decrypt what they must be
// able to decrypt.
func (e *executor) canaryDecrypts(obj *object, hash crypto.Hash) bool {
	public, _ := e.ready(obj, rsaKeys)
	if public == nil {
		return false
	}
	want := make([]byte, hash.Size())
	ciphertext, err := rsa.EncryptOAEP(hash.New(), rand.Reader, public.rsa, want, nil)
	if err != nil {
		return false
	}
	got, res := e.decryptOnce(obj, hash, ciphertext)
	return res.rv == ckr.OK && res.wrong == nil && subtle.ConstantTimeCompare(got, want) == 1
}
