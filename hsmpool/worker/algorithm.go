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
	switch a {
	case kind.HMACSHA224:
		return hmacBy(pkcs11.CKM_SHA224_HMAC, "CKM_SHA224_HMAC"), nil
	case kind.HMACSHA256:
		return hmacBy(pkcs11.CKM_SHA256_HMAC, "CKM_SHA256_HMAC"), nil
	case kind.HMACSHA384:
		return hmacBy(pkcs11.CKM_SHA384_HMAC, "CKM_SHA384_HMAC"), nil
	case kind.HMACSHA512:
		return hmacBy(pkcs11.CKM_SHA512_HMAC, "CKM_SHA512_HMAC"), nil
	case kind.PKCS1SHA256:
		return pkcs1(crypto.SHA256, 1), nil
	case kind.PKCS1SHA384:
		return pkcs1(crypto.SHA384, 2), nil
	case kind.PKCS1SHA512:
		return pkcs1(crypto.SHA512, 3), nil
	case kind.PSSSHA256:
		return pss(crypto.SHA256), nil
	case kind.PSSSHA384:
		return pss(crypto.SHA384), nil
	case kind.PSSSHA512:
		return pss(crypto.SHA512), nil
	case kind.ECDSASHA256:
		return ecdsaOf(crypto.SHA256), nil
	case kind.ECDSASHA384:
		return ecdsaOf(crypto.SHA384), nil
	case kind.ECDSASHA512:
		return ecdsaOf(crypto.SHA512), nil
	case kind.EdDSA:
		return method{by: edDSA(), family: edwardsKeys}, nil
	case kind.EdDSAph:
		return method{by: edDSA(1, 0, 0), family: edwardsKeys, hash: crypto.SHA512}, nil
	}
	return method{}, fmt.Errorf("%q is no algorithm that signs or makes MACs", a)
}

func hmacBy(mechanismType uint, name string) method {
	return method{by: mechanism{kind: mechanismType, name: name}, family: secretKeys}
}

// pkcs1 signs a DigestInfo (RFC 8017, 9.2, note 1). last is the last number of the hash's
// object identifier.
func pkcs1(hash crypto.Hash, last byte) method {
	size := byte(hash.Size())
	return method{
		by: mechanism{kind: pkcs11.CKM_RSA_PKCS, name: "CKM_RSA_PKCS"}, family: rsaKeys, hash: hash,
		prefix: []byte{0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last, 5, 0, 4, size},
	}
}

// pss has MGF1 by the same hash and a salt as long as the digest (CK_RSA_PKCS_PSS_PARAMS).
func pss(hash crypto.Hash) method {
	h, mgf := hashMechanisms(hash)
	return method{
		by:     mechanism{kind: pkcs11.CKM_RSA_PKCS_PSS, name: "CKM_RSA_PKCS_PSS", params: []uint{h, mgf, uint(hash.Size())}},
		family: rsaKeys, hash: hash,
	}
}

func ecdsaOf(hash crypto.Hash) method {
	return method{by: mechanism{kind: pkcs11.CKM_ECDSA, name: "CKM_ECDSA"}, family: ecKeys, hash: hash}
}

// edDSA has no parameters for Ed25519, and CK_EDDSA_PARAMS for Ed25519ph: a byte with its
// padding, the length of the context and where it is.
func edDSA(params ...uint) mechanism {
	return mechanism{kind: ckmEdDSA, name: "CKM_EDDSA", params: params}
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
