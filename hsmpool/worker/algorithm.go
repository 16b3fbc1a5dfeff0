//go:build cgo

package worker

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// method is how C_Sign makes a signature or a MAC by an algorithm.
type method struct {
	by mechanism
	// family is what keys it is for.
	family family
	// hash is what the input is the digest by; 0 if it is the message.
	hash crypto.Hash
	// prefix goes before the digest.
	prefix []byte
}

// methodOf returns the method of an algorithm that signs or makes MACs.
func methodOf(a kind.Algorithm) (method, error) {
	pkcs1 := mechanism{kind: pkcs11.CKM_RSA_PKCS, name: "CKM_RSA_PKCS"}
	ecdsa := mechanism{kind: pkcs11.CKM_ECDSA, name: "CKM_ECDSA"}
	all := map[kind.Algorithm]method{
		kind.HMACSHA224:  {by: mechanism{kind: pkcs11.CKM_SHA224_HMAC, name: "CKM_SHA224_HMAC"}, family: secretKeys},
		kind.HMACSHA256:  {by: mechanism{kind: pkcs11.CKM_SHA256_HMAC, name: "CKM_SHA256_HMAC"}, family: secretKeys},
		kind.HMACSHA384:  {by: mechanism{kind: pkcs11.CKM_SHA384_HMAC, name: "CKM_SHA384_HMAC"}, family: secretKeys},
		kind.HMACSHA512:  {by: mechanism{kind: pkcs11.CKM_SHA512_HMAC, name: "CKM_SHA512_HMAC"}, family: secretKeys},
		kind.PKCS1SHA256: {by: pkcs1, family: rsaKeys, hash: crypto.SHA256, prefix: digestInfo(crypto.SHA256)},
		kind.PKCS1SHA384: {by: pkcs1, family: rsaKeys, hash: crypto.SHA384, prefix: digestInfo(crypto.SHA384)},
		kind.PKCS1SHA512: {by: pkcs1, family: rsaKeys, hash: crypto.SHA512, prefix: digestInfo(crypto.SHA512)},
		kind.PSSSHA256:   {by: pss(crypto.SHA256), family: rsaKeys, hash: crypto.SHA256},
		kind.PSSSHA384:   {by: pss(crypto.SHA384), family: rsaKeys, hash: crypto.SHA384},
		kind.PSSSHA512:   {by: pss(crypto.SHA512), family: rsaKeys, hash: crypto.SHA512},
		kind.ECDSASHA256: {by: ecdsa, family: ecKeys, hash: crypto.SHA256},
		kind.ECDSASHA384: {by: ecdsa, family: ecKeys, hash: crypto.SHA384},
		kind.ECDSASHA512: {by: ecdsa, family: ecKeys, hash: crypto.SHA512},
		kind.EdDSA:       {by: mechanism{kind: ckmEdDSA, name: "CKM_EDDSA"}, family: edwardsKeys},
		kind.EdDSAph:     {by: prehashed(), family: edwardsKeys, hash: crypto.SHA512},
	}
	m, ok := all[a]
	if !ok {
		return method{}, fmt.Errorf("%q is no algorithm that signs or makes MACs", a)
	}
	return m, nil
}

// pss returns the mechanism of RSA-PSS with MGF1 by the same hash and a salt as long as
// the digest (CK_RSA_PKCS_PSS_PARAMS).
func pss(hash crypto.Hash) mechanism {
	h, mgf := hashMechanisms(hash)
	return mechanism{kind: pkcs11.CKM_RSA_PKCS_PSS, name: "CKM_RSA_PKCS_PSS", params: []uint{h, mgf, uint(hash.Size())}}
}

// oaep returns the mechanism of RSA-OAEP with MGF1 by the same hash and without a label
// (CK_RSA_PKCS_OAEP_PARAMS).
func oaep(hash crypto.Hash) mechanism {
	h, mgf := hashMechanisms(hash)
	return mechanism{
		kind: pkcs11.CKM_RSA_PKCS_OAEP, name: "CKM_RSA_PKCS_OAEP",
		params: []uint{h, mgf, pkcs11.CKZ_DATA_SPECIFIED, 0, 0},
	}
}

// prehashed returns the mechanism of Ed25519ph without a context (CK_EDDSA_PARAMS: a byte
// with padding, a length, a pointer).
func prehashed() mechanism {
	return mechanism{kind: ckmEdDSA, name: "CKM_EDDSA", params: []uint{1, 0, 0}}
}

// hashMechanisms returns what a hash and MGF1 by it are called in parameters.
func hashMechanisms(hash crypto.Hash) (h, mgf uint) {
	switch hash {
	case crypto.SHA1:
		return pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1
	case crypto.SHA384:
		return pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384
	case crypto.SHA512:
		return pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512
	default:
		return pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256
	}
}

// digestInfo returns what stands before the digest in a DigestInfo (RFC 8017, 9.2, note 1).
func digestInfo(hash crypto.Hash) []byte {
	last := map[crypto.Hash]byte{crypto.SHA256: 1, crypto.SHA384: 2, crypto.SHA512: 3}[hash]
	size := byte(hash.Size())
	return []byte{0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last, 5, 0, 4, size}
}

// prepare returns what C_Sign is given for an input.
func (m method) prepare(input []byte) ([]byte, error) {
	if m.hash != 0 && len(input) != m.hash.Size() {
		return nil, fmt.Errorf("a digest of %d bytes is none of %s", len(input), m.hash)
	}
	return slices.Concat(m.prefix, input), nil
}

// encode returns the signature that a token's answer is; of ECDSA that is r and s.
func (m method) encode(answer []byte) ([]byte, error) {
	if m.family != ecKeys {
		return answer, nil
	}
	half := len(answer) / 2
	r, s := new(big.Int).SetBytes(answer[:half]), new(big.Int).SetBytes(answer[half:])
	if len(answer)%2 != 0 || r.Sign() == 0 || s.Sign() == 0 {
		return nil, errors.New("the token's answer is no ECDSA signature")
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}
