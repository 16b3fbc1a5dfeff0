//go:build cgo

package worker

import (
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// What PKCS#11 3.0 calls the keys of Edwards curves; miekg/pkcs11 knows 2.40.
const (
	ckkECEdwards           = 0x40
	ckmECEdwardsKeyPairGen = 0x1055
	ckmEdDSA               = 0x1057
	ckmAESKeyWrapPad       = 0x210a
	ckmRSAAESKeyWrap       = 0x1054
)

// ckmCloudHSMKeyWrapZeroPad is of AWS's own, in cloudhsm_pkcs11_vendor_defs.h.
const ckmCloudHSMKeyWrapZeroPad = pkcs11.CKM_VENDOR_DEFINED | 0x216f

// spec is a key type in PKCS#11's terms.
type spec struct {
	kind kind.KeyType
	// by makes such a key.
	by mechanism
	// keyType is CKA_KEY_TYPE.
	keyType uint
	// length is that of a secret in bytes; 0 for a pair.
	length uint
	// bits is the length of an RSA modulus.
	bits uint
	// params is CKA_EC_PARAMS: the curve's object identifier or, for Ed25519, its name.
	params []byte
}

// pair tells whether it is a key pair.
func (s spec) pair() bool { return s.length == 0 }

// class is CKA_CLASS of the key that is kept.
func (s spec) class() uint {
	if s.pair() {
		return pkcs11.CKO_PRIVATE_KEY
	}
	return pkcs11.CKO_SECRET_KEY
}

// specOf returns the spec of a key type.
func specOf(t kind.KeyType) (spec, error) {
	aes := mechanism{kind: pkcs11.CKM_AES_KEY_GEN, name: "CKM_AES_KEY_GEN"}
	secret := mechanism{kind: pkcs11.CKM_GENERIC_SECRET_KEY_GEN, name: "CKM_GENERIC_SECRET_KEY_GEN"}
	rsa := mechanism{kind: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, name: "CKM_RSA_PKCS_KEY_PAIR_GEN"}
	ec := mechanism{kind: pkcs11.CKM_EC_KEY_PAIR_GEN, name: "CKM_EC_KEY_PAIR_GEN"}
	edwards := mechanism{kind: ckmECEdwardsKeyPairGen, name: "CKM_EC_EDWARDS_KEY_PAIR_GEN"}
	all := map[kind.KeyType]spec{
		kind.AES256:    {by: aes, keyType: pkcs11.CKK_AES, length: 32},
		kind.HMAC224:   {by: secret, keyType: pkcs11.CKK_GENERIC_SECRET, length: 28},
		kind.HMAC256:   {by: secret, keyType: pkcs11.CKK_GENERIC_SECRET, length: 32},
		kind.HMAC384:   {by: secret, keyType: pkcs11.CKK_GENERIC_SECRET, length: 48},
		kind.HMAC512:   {by: secret, keyType: pkcs11.CKK_GENERIC_SECRET, length: 64},
		kind.RSA2048:   {by: rsa, keyType: pkcs11.CKK_RSA, bits: 2048},
		kind.RSA3072:   {by: rsa, keyType: pkcs11.CKK_RSA, bits: 3072},
		kind.RSA4096:   {by: rsa, keyType: pkcs11.CKK_RSA, bits: 4096},
		kind.P256:      {by: ec, keyType: pkcs11.CKK_EC, params: []byte("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")},
		kind.P384:      {by: ec, keyType: pkcs11.CKK_EC, params: []byte("\x06\x05\x2b\x81\x04\x00\x22")},
		kind.P521:      {by: ec, keyType: pkcs11.CKK_EC, params: []byte("\x06\x05\x2b\x81\x04\x00\x23")},
		kind.Secp256k1: {by: ec, keyType: pkcs11.CKK_EC, params: []byte("\x06\x05\x2b\x81\x04\x00\x0a")},
		kind.Ed25519:   {by: edwards, keyType: ckkECEdwards, params: []byte("\x13\x0cedwards25519")},
	}
	s, ok := all[t]
	if !ok {
		return spec{}, fmt.Errorf("unknown key type %s", t)
	}
	s.kind = t
	return s, nil
}

// publicTemplate is what C_GenerateKeyPair is given for the public key, an object of the
// session: its value is read and then it is destroyed. The size and the exponent of an RSA
// key stand here only; with them in the private key's template CloudHSM makes a key that
// cannot be used.
func (s spec) publicTemplate() []*pkcs11.Attribute {
	t := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false)}
	if s.bits > 0 {
		return append(t, pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, s.bits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	}
	t = append(t, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, s.params))
	if s.kind == kind.Secp256k1 { // the self-test has the token verify, which CloudHSM does not grant by itself
		t = append(t, pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true))
	}
	return t
}
