//go:build cgo

package worker

import (
	"crypto/aes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// fingerprintLabel is what fingerprints of secrets are made of: for AES the block that is
// decrypted, which no GCM ever does with a block; for HMAC the message, of whose code only
// a digest is told.
const fingerprintLabel = "key fingerprint1"

// material is what is known of key material that was brought into the token.
type material struct {
	// spki is the public key of a pair.
	spki []byte
	// fingerprint names the material.
	fingerprint []byte
}

// examine finds out what was brought, and refuses what is not of the key type asked for.
func (e *executor) examine(s spec, k brought) (material, error) {
	if !s.pair() {
		return e.examineSecret(s, k.key)
	}
	spki, err := k.spki, error(nil)
	switch {
	case spki != nil:
	case s.bits > 0:
		spki, err = e.broughtRSA(s, k.key)
	default:
		spki, err = e.broughtCurve(s, k.key)
	}
	if err != nil {
		return material{}, err
	}
	name := sha256.Sum256(spki)
	return material{spki: spki, fingerprint: name[:]}, nil
}

func (e *executor) examineSecret(s spec, key pkcs11.ObjectHandle) (material, error) {
	if err := e.checkLength(s, key); err != nil {
		return material{}, err
	}
	name, err := e.fingerprint(s, key)
	return material{fingerprint: name}, err
}

// broughtRSA returns the public key of an RSA key.
func (e *executor) broughtRSA(s spec, key pkcs11.ObjectHandle) ([]byte, error) {
	values, err := e.token.attributes(e.session, key, pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
	if err != nil {
		return nil, err
	}
	public, err := rsaPublic(values[0], values[1])
	if err != nil {
		return nil, callers(errors.New("the key material is an RSA key with an impossible modulus or exponent"))
	}
	if got := public.N.BitLen(); got != int(s.bits) || public.E != rsaExponent {
		return nil, callers(fmt.Errorf("the key material is an RSA key of %d bits with the public exponent %d, not of %d with %d",
			got, public.E, s.bits, rsaExponent))
	}
	return x509.MarshalPKIXPublicKey(public)
}

// broughtCurve returns the public key of a key on a curve, if the token tells it.
func (e *executor) broughtCurve(s spec, key pkcs11.ObjectHandle) ([]byte, error) {
	values, err := e.token.attributes(e.session, key, pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
	switch {
	case odd(err) || err == nil && len(values[1]) == 0:
		return nil, unsupported("%s: the token does not tell the public key of a key on a curve that it has unwrapped", e.token.wrapsTwice().name)
	case err != nil:
		return nil, err
	case string(values[0]) != string(s.params):
		return nil, callers(fmt.Errorf("the key material is on another curve than %s", s.kind))
	}
	spki, err := curveInfo(s, values[1])
	if err != nil {
		return nil, internal(fmt.Errorf("reading the public key of what was unwrapped: %w", err))
	}
	return spki, nil
}

// fingerprint names a secret: SHA-256 of what the label becomes by it.
func (e *executor) fingerprint(s spec, key pkcs11.ObjectHandle) ([]byte, error) {
	o := operation{session: uint(e.session), key: uint(key), in: []byte(fingerprintLabel)}
	var out []byte
	var res result
	if s.kind == kind.AES256 {
		o.by, out = mechanism{kind: pkcs11.CKM_AES_ECB, name: "CKM_AES_ECB"}, make([]byte, aes.BlockSize)
		_, res = e.token.hot.decrypt(o, out)
	} else {
		m, err := methodOf(macAlgorithm(s.kind))
		if err != nil {
			return nil, internal(err)
		}
		o.by, out = m.by, make([]byte, s.length)
		_, res = e.token.hot.sign(o, out)
	}
	if err := res.err(); err != nil {
		return nil, err
	}
	name := sha256.Sum256(out)
	return name[:], nil
}

// aesFingerprint is the fingerprint of an AES key that is known.
func aesFingerprint(key []byte) ([]byte, error) {
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, aes.BlockSize)
	c.Decrypt(out, []byte(fingerprintLabel))
	name := sha256.Sum256(out)
	return name[:], nil
}

// checkLength refuses a secret of another length than its type's.
func (e *executor) checkLength(s spec, key pkcs11.ObjectHandle) error {
	values, err := e.token.attributes(e.session, key, pkcs11.CKA_VALUE_LEN)
	if err != nil && !odd(err) {
		return err
	}
	if err == nil && number(values[0]) != 0 {
		if number(values[0]) != uint64(s.length) {
			return wrongLength([]uint{s.length})
		}
		return nil
	}
	return e.proveLength(s, key)
}

func wrongLength(want []uint) *fault {
	return callers(fmt.Errorf("the key material has a wrong length: want %d bytes", want))
}

// proveLength finds out whether a secret has the length of its type where the token does not
// tell (SoftHSM says 0 of what it has unwrapped), without taking it out of the token: SHA-256
// of the secret is what a longer message's digest is continued from, if that message goes on
// with the padding that SHA-256 gives to a secret of that length (FIPS 180-4, 5.1.1).
func (e *executor) proveLength(s spec, key pkcs11.ObjectHandle) error {
	padding := sha256Padding(int(s.length))
	whole, err := e.digestKey(key, nil)
	if err != nil {
		return err
	}
	got, err := e.digestKey(key, padding)
	if err != nil {
		return err
	}
	want, err := continued(whole, int(s.length)+len(padding))
	if err != nil {
		return internal(err)
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return wrongLength([]uint{s.length})
	}
	return nil
}

// digestKey returns SHA-256 of a secret and what follows it.
func (e *executor) digestKey(key pkcs11.ObjectHandle, suffix []byte) ([]byte, error) {
	ctx := e.token.ctx
	if err := ctx.DigestInit(e.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA256, nil)}); err != nil {
		return nil, &opError{function: "C_DigestInit", err: err}
	}
	if err := ctx.DigestKey(e.session, key); err != nil {
		if rvOf(err) == ckr.FunctionNotSupported || rvOf(err) == ckr.KeyIndigestible {
			_, _ = ctx.DigestFinal(e.session) // so that no operation is left active
			return nil, unsupported("C_DigestKey: %s: the token does not tell the length of a secret that it has unwrapped", rvOf(err))
		}
		return nil, &opError{function: "C_DigestKey", err: err}
	}
	if len(suffix) > 0 {
		if err := ctx.DigestUpdate(e.session, suffix); err != nil {
			return nil, &opError{function: "C_DigestUpdate", err: err}
		}
	}
	digest, err := ctx.DigestFinal(e.session)
	if err != nil {
		return nil, &opError{function: "C_DigestFinal", err: err}
	}
	return digest, nil
}
