//go:build cgo

package worker

import (
	"fmt"

	"github.com/miekg/pkcs11"
)

// GenerateKey is C_GenerateKey.
func (c *cryptoki) GenerateKey(session pkcs11.SessionHandle, by []*pkcs11.Mechanism, template []*pkcs11.Attribute) (key pkcs11.ObjectHandle, err error) {
	err = c.call("C_GenerateKey", by, func() error { key, err = c.ctx.GenerateKey(session, by, template); return err })
	c.counts.octets(size(template), 0)
	c.made(session, template, err, key)
	return key, err
}

// GenerateKeyPair is C_GenerateKeyPair.
func (c *cryptoki) GenerateKeyPair(session pkcs11.SessionHandle, by []*pkcs11.Mechanism, forPublic, forPrivate []*pkcs11.Attribute) (public, private pkcs11.ObjectHandle, err error) {
	err = c.call("C_GenerateKeyPair", by, func() error {
		public, private, err = c.ctx.GenerateKeyPair(session, by, forPublic, forPrivate)
		return err
	})
	c.counts.octets(size(forPublic, forPrivate), 0)
	c.made(session, forPublic, err, public)
	c.made(session, forPrivate, err, private)
	return public, private, err
}

// DeriveECDH is C_DeriveKey by ECDH with the other side's point.
func (c *cryptoki) DeriveECDH(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, point []byte, template []*pkcs11.Attribute) (secret pkcs11.ObjectHandle, err error) {
	by := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDH1_DERIVE, pkcs11.NewECDH1DeriveParams(pkcs11.CKD_NULL, nil, point))}
	err = c.call("C_DeriveKey", by, func() error { secret, err = c.ctx.DeriveKey(session, by, key, template); return err })
	c.counts.octets(len(point)+size(template), 0)
	c.made(session, template, err, secret)
	return secret, err
}

// UnwrapKey is C_UnwrapKey.
func (c *cryptoki) UnwrapKey(session pkcs11.SessionHandle, by []*pkcs11.Mechanism, under pkcs11.ObjectHandle, wrapped []byte, template []*pkcs11.Attribute) (key pkcs11.ObjectHandle, err error) {
	err = c.call("C_UnwrapKey", by, func() error { key, err = c.ctx.UnwrapKey(session, by, under, wrapped, template); return err })
	c.counts.octets(len(wrapped)+size(template), 0)
	c.made(session, template, err, key)
	return key, err
}

// WrapKey is C_WrapKey.
func (c *cryptoki) WrapKey(session pkcs11.SessionHandle, by []*pkcs11.Mechanism, under, key pkcs11.ObjectHandle) (wrapped []byte, err error) {
	err = c.call("C_WrapKey", by, func() error { wrapped, err = c.ctx.WrapKey(session, by, under, key); return err })
	c.counts.octets(0, len(wrapped))
	return wrapped, err
}

// DestroyObject is C_DestroyObject.
func (c *cryptoki) DestroyObject(session pkcs11.SessionHandle, h pkcs11.ObjectHandle) error {
	err := c.call("C_DestroyObject", nil, func() error { return c.ctx.DestroyObject(session, h) })
	if err == nil {
		c.counts.keys.destroyed(h)
	}
	return err
}

// DigestInit is C_DigestInit.
func (c *cryptoki) DigestInit(session pkcs11.SessionHandle, by []*pkcs11.Mechanism) error {
	return c.call("C_DigestInit", by, func() error { return c.ctx.DigestInit(session, by) })
}

// DigestKey is C_DigestKey.
func (c *cryptoki) DigestKey(session pkcs11.SessionHandle, key pkcs11.ObjectHandle) error {
	return c.call("C_DigestKey", nil, func() error { return c.ctx.DigestKey(session, key) })
}

// DigestUpdate is C_DigestUpdate.
func (c *cryptoki) DigestUpdate(session pkcs11.SessionHandle, message []byte) error {
	c.counts.octets(len(message), 0)
	return c.call("C_DigestUpdate", nil, func() error { return c.ctx.DigestUpdate(session, message) })
}

// DigestFinal is C_DigestFinal.
func (c *cryptoki) DigestFinal(session pkcs11.SessionHandle) (digest []byte, err error) {
	err = c.call("C_DigestFinal", nil, func() error { digest, err = c.ctx.DigestFinal(session); return err })
	c.counts.octets(0, len(digest))
	return digest, err
}

// VerifyInit is C_VerifyInit.
func (c *cryptoki) VerifyInit(session pkcs11.SessionHandle, by []*pkcs11.Mechanism, key pkcs11.ObjectHandle) error {
	return c.call("C_VerifyInit", by, func() error { return c.ctx.VerifyInit(session, by, key) })
}

// Verify is C_Verify.
func (c *cryptoki) Verify(session pkcs11.SessionHandle, data, signature []byte) error {
	c.counts.octets(len(data)+len(signature), 0)
	return c.call("C_Verify", nil, func() error { return c.ctx.Verify(session, data, signature) })
}

// nameOfMechanism returns PKCS#11's name of the one mechanism in a list; empty if there is
// none.
func nameOfMechanism(by []*pkcs11.Mechanism) string {
	if len(by) == 0 {
		return ""
	}
	switch m := by[0].Mechanism; m {
	case pkcs11.CKM_AES_KEY_GEN:
		return "CKM_AES_KEY_GEN"
	case pkcs11.CKM_GENERIC_SECRET_KEY_GEN:
		return "CKM_GENERIC_SECRET_KEY_GEN"
	case pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN:
		return "CKM_RSA_PKCS_KEY_PAIR_GEN"
	case pkcs11.CKM_EC_KEY_PAIR_GEN:
		return "CKM_EC_KEY_PAIR_GEN"
	case ckmECEdwardsKeyPairGen:
		return "CKM_EC_EDWARDS_KEY_PAIR_GEN"
	case pkcs11.CKM_ECDH1_DERIVE:
		return "CKM_ECDH1_DERIVE"
	case pkcs11.CKM_RSA_PKCS_OAEP:
		return "CKM_RSA_PKCS_OAEP"
	case pkcs11.CKM_RSA_X_509:
		return "CKM_RSA_X_509"
	case ckmRSAAESKeyWrap:
		return "CKM_RSA_AES_KEY_WRAP"
	case ckmAESKeyWrapPad:
		return "CKM_AES_KEY_WRAP_PAD"
	case ckmCloudHSMKeyWrapZeroPad:
		return "CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD"
	case pkcs11.CKM_SHA256:
		return "CKM_SHA256"
	case pkcs11.CKM_ECDSA:
		return "CKM_ECDSA"
	default:
		return fmt.Sprintf("CKM_0x%08X", m)
	}
}
