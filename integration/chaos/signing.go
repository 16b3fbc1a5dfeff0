package chaos

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// signs tells whether the key signs.
func (k *key) signs() bool { return k.kind == curve || k.kind == rsaSigning }

func (k *key) signing() kmsv1.SigningAlgorithmSpec {
	if k.kind == curve {
		return kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256
	}
	return kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_256
}

// sign signs a message, and verifies the signature here and, sometimes, there.
func (c *client) sign(ctx context.Context) {
	message, there := c.text(), c.rng.IntN(2) == 0
	k := pick(c.rng, c.keys, (*key).signs)
	if k == nil {
		c.encrypt(ctx)
		return
	}
	if !c.knowPublic(ctx, k) {
		return
	}
	var signature []byte
	r := c.ask(ctx, asking{operation: "Sign", of: k, wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.Sign(ctx, &kmsv1.SignRequest{KeyId: &k.arn, Message: message, SigningAlgorithm: k.signing().Enum()}, o)
			signature = res.GetSignature()
			return err
		})
	if !r.succeeded() {
		return
	}
	if err := verify(k.public, message, signature); err != nil {
		c.history.object("signatures", r, "the signature does not verify: %v", err)
	}
	if there {
		c.verify(ctx, k, message, signature, "")
	}
}

func (c *client) verify(ctx context.Context, k *key, message, signature []byte, outcome string) {
	c.ask(ctx, asking{operation: "Verify", of: k, wanted: k.using(outcome)},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.Verify(ctx, &kmsv1.VerifyRequest{
				KeyId: &k.arn, Message: message, Signature: signature, SigningAlgorithm: k.signing().Enum(),
			}, o)
			return err
		})
}

// verifyAltered expects that what is no signature is refused.
func (c *client) verifyAltered(ctx context.Context) {
	message, signature := c.text(), c.text()
	k := pick(c.rng, c.keys, (*key).signs)
	if k == nil {
		c.encrypt(ctx)
		return
	}
	c.verify(ctx, k, message, signature, "KMSInvalidSignatureException")
}

// verify checks a signature by SHA-256 and ECDSA or RSA-PSS.
func verify(public crypto.PublicKey, message, signature []byte) error {
	sum := sha256.Sum256(message)
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(p, sum[:], signature) {
			return errors.New("by ECDSA")
		}
		return nil
	case *rsa.PublicKey:
		return rsa.VerifyPSS(p, crypto.SHA256, sum[:], signature, nil)
	}
	return fmt.Errorf("a public key of type %T", public)
}

// publicOf returns the public half of a private key.
func publicOf(private any) crypto.PublicKey {
	if p, ok := private.(crypto.Signer); ok {
		return p.Public()
	}
	return nil
}

// getPublicKey expects the public key that it was before.
func (c *client) getPublicKey(ctx context.Context) {
	k := pick(c.rng, c.keys, (*key).signs)
	if k == nil {
		c.encrypt(ctx)
		return
	}
	before := k.public
	k.public = nil
	if !c.knowPublic(ctx, k) {
		k.public = before
		return
	}
	if before != nil && !samePublic(before, k.public) {
		c.history.object("keys", k.made, "%s has another public key than before", k.arn)
	}
}

func samePublic(a, b crypto.PublicKey) bool {
	x, errX := x509.MarshalPKIXPublicKey(a)
	y, errY := x509.MarshalPKIXPublicKey(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// knowPublic asks for a key's public key, if it is not known.
func (c *client) knowPublic(ctx context.Context, k *key) bool {
	if k.public != nil {
		return true
	}
	var der []byte
	r := c.ask(ctx, asking{operation: "GetPublicKey", of: k, wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.GetPublicKey(ctx, &kmsv1.GetPublicKeyRequest{KeyId: &k.arn}, o)
			der = res.GetPublicKey()
			return err
		})
	if !r.succeeded() {
		return false
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		c.history.object("keys", r, "its public key cannot be parsed: %v", err)
		return false
	}
	k.public = public
	return true
}

func isMAC(k *key) bool { return k.kind == mac }

func (c *client) generateMAC(ctx context.Context) {
	message := c.text()
	k := pick(c.rng, c.keys, isMAC)
	if k == nil {
		c.encrypt(ctx)
		return
	}
	m := &authenticated{key: k, message: message}
	m.by = c.ask(ctx, asking{operation: "GenerateMac", of: k, wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.GenerateMac(ctx, &kmsv1.GenerateMacRequest{KeyId: &k.arn, Message: message, MacAlgorithm: sha256MAC()}, o)
			m.mac = res.GetMac()
			return err
		})
	if m.by.succeeded() {
		c.macs = append(c.macs, m)
		c.history.addMAC(m)
	}
}

func sha256MAC() *kmsv1.MacAlgorithmSpec {
	return kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_256.Enum()
}

// verifyMAC verifies a MAC that the client was answered.
func (c *client) verifyMAC(ctx context.Context) {
	if m := pick(c.rng, c.macs, whichever); m != nil {
		c.recognise(ctx, m)
		return
	}
	c.generateMAC(ctx)
}

// recognise expects that a MAC is still the message's.
func (c *client) recognise(ctx context.Context, m *authenticated) {
	if c.verifyAs(ctx, m, m.mac, "").succeeded() {
		m.checked = true
	}
}

func (c *client) verifyAs(ctx context.Context, m *authenticated, mac []byte, outcome string) *request {
	return c.ask(ctx, asking{operation: "VerifyMac", of: m.key, wanted: m.key.using(outcome)},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.VerifyMac(ctx, &kmsv1.VerifyMacRequest{KeyId: &m.key.arn, Message: m.message, Mac: mac, MacAlgorithm: sha256MAC()}, o)
			return err
		})
}

// verifyAlteredMAC expects that a MAC with another bit in it is refused.
func (c *client) verifyAlteredMAC(ctx context.Context) {
	m := pick(c.rng, c.macs, whichever)
	bit := c.rng.IntN(32 * 8)
	if m == nil {
		c.generateMAC(ctx)
		return
	}
	altered := bytes.Clone(m.mac)
	altered[bit/8] ^= 1 << (bit % 8)
	c.verifyAs(ctx, m, altered, "KMSInvalidMacException")
}
