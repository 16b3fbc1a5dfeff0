package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"google.golang.org/grpc"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// seals tells whether the key encrypts.
func (k *key) seals() bool { return k.kind == secret || k.kind == stored || k.kind == rsaSealing }

// symmetric tells whether the key encrypts by AES-GCM.
func (k *key) symmetric() bool { return k.kind == secret || k.kind == stored }

// sealing picks a key that encrypts: one of the client's or, of three times, a shared
// one.
func (c *client) sealing(wanted func(*key) bool) *key {
	if c.rng.IntN(3) == 0 {
		return pick(c.rng, c.shared, wanted)
	}
	return pick(c.rng, c.keys, wanted)
}

// newSealed notes a ciphertext that was answered.
func (c *client) newSealed(r *request, k *key, blob, plaintext []byte, pairs map[string]string, a *kmsv1.EncryptionAlgorithmSpec) {
	if !r.succeeded() {
		return
	}
	s := &sealed{key: k, blob: blob, pairs: pairs, algorithm: a, sum: sha256.Sum256(plaintext), by: r}
	c.sealed = append(c.sealed, s)
	c.history.addSealed(s)
}

// pairs is an encryption context that no other request of the run has.
func (c *client) pairs() map[string]string { return map[string]string{"by": c.mark()} }

func oaep(k *key) *kmsv1.EncryptionAlgorithmSpec {
	if k.kind == rsaSealing {
		return kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256.Enum()
	}
	return nil
}

// encrypt encrypts a new plaintext; by the key's alias, if it has one.
func (c *client) encrypt(ctx context.Context) {
	plaintext := c.text()
	k := c.sealing((*key).seals)
	if k == nil {
		c.generateRandom(ctx)
		return
	}
	req := &kmsv1.EncryptRequest{KeyId: &k.arn, Plaintext: plaintext, EncryptionContext: c.pairs(), EncryptionAlgorithm: oaep(k)}
	a := asking{operation: "Encrypt", of: k, mark: c.mark(), wanted: k.using("")}
	if !k.symmetric() {
		req.EncryptionContext, a.mark = nil, ""
	}
	if by := pick(c.rng, c.aliases, func(a *alias) bool { return a.target() == k }); by != nil {
		req.KeyId, a.name = &by.name, by.name
	}
	var blob []byte
	r := c.ask(ctx, a, func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
		res, err := kms.Encrypt(ctx, req, o)
		blob = res.GetCiphertextBlob()
		return err
	})
	c.newSealed(r, k, blob, plaintext, req.GetEncryptionContext(), req.EncryptionAlgorithm)
}

// decrypt decrypts a ciphertext that the client was answered.
func (c *client) decrypt(ctx context.Context) {
	if s := pick(c.rng, c.sealed, whichever); s != nil {
		c.open(ctx, s)
		return
	}
	c.encrypt(ctx)
}

// open expects that a ciphertext decrypts to what was encrypted.
func (c *client) open(ctx context.Context, s *sealed) {
	var plaintext []byte
	r := c.ask(ctx, asking{operation: "Decrypt", of: s.key, wanted: s.key.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.Decrypt(ctx, opening(s), o)
			plaintext = res.GetPlaintext()
			return err
		})
	if !r.succeeded() {
		return
	}
	if sha256.Sum256(plaintext) != s.sum {
		c.history.object("ciphertexts", r, "what %v answered decrypts to something else", s.by)
	}
	s.checked = true
}

func opening(s *sealed) *kmsv1.DecryptRequest {
	return &kmsv1.DecryptRequest{KeyId: &s.key.arn, CiphertextBlob: s.blob, EncryptionContext: s.pairs, EncryptionAlgorithm: s.algorithm}
}

// decryptAltered expects that a ciphertext with another bit in it is refused. One bit
// in the last 16 bytes is the tag's, or anything of an RSA ciphertext.
func (c *client) decryptAltered(ctx context.Context) {
	s := pick(c.rng, c.sealed, whichever)
	bit := c.rng.IntN(16 * 8)
	if s == nil {
		c.encrypt(ctx)
		return
	}
	altered := opening(s)
	altered.CiphertextBlob = bytes.Clone(s.blob)
	altered.CiphertextBlob[len(s.blob)-1-bit/8] ^= 1 << (bit % 8)
	c.refused(ctx, s, altered)
}

// decryptOutOfContext expects that a ciphertext is refused with another encryption
// context.
func (c *client) decryptOutOfContext(ctx context.Context) {
	s := pick(c.rng, c.sealed, func(s *sealed) bool { return s.key.symmetric() })
	if s == nil {
		c.encrypt(ctx)
		return
	}
	other := opening(s)
	other.EncryptionContext = c.pairs()
	c.refused(ctx, s, other)
}

func (c *client) refused(ctx context.Context, s *sealed, req *kmsv1.DecryptRequest) {
	c.ask(ctx, asking{operation: "Decrypt", of: s.key, wanted: s.key.using(invalidCiphertext)},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.Decrypt(ctx, req, o)
			return err
		})
}

// reEncrypt takes a ciphertext to a key of the client's.
func (c *client) reEncrypt(ctx context.Context) {
	s := pick(c.rng, c.sealed, func(s *sealed) bool { return s.key.symmetric() })
	to := pick(c.rng, c.keys, (*key).symmetric)
	if s == nil || to == nil {
		c.encrypt(ctx)
		return
	}
	kind := to.kind
	if s.key.kind == stored {
		kind = stored
	}
	pairs := c.pairs()
	var blob []byte
	r := c.ask(ctx, asking{operation: "ReEncrypt", name: to.arn, kind: kind, mark: c.mark(), wanted: append(s.key.using(""), to.using("")...)},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.ReEncrypt(ctx, &kmsv1.ReEncryptRequest{
				CiphertextBlob: s.blob, SourceEncryptionContext: s.pairs, SourceKeyId: &s.key.arn,
				DestinationKeyId: &to.arn, DestinationEncryptionContext: pairs,
			}, o)
			blob = res.GetCiphertextBlob()
			return err
		})
	if r.succeeded() && (!possibly(s.key) || !possibly(to)) {
		c.history.object("outcomes", r, "from a key that is %v to one that is %v", s.key.states, to.states)
	}
	if r.succeeded() {
		again := &sealed{key: to, blob: blob, pairs: pairs, sum: s.sum, by: r}
		c.sealed = append(c.sealed, again)
		c.history.addSealed(again)
	}
}

// possibly tells whether a key may be enabled.
func possibly(k *key) bool {
	for _, s := range k.states {
		if s == enabled {
			return true
		}
	}
	return false
}

func (c *client) generateDataKey(ctx context.Context) {
	k := c.sealing((*key).symmetric)
	if k == nil {
		c.encrypt(ctx)
		return
	}
	pairs := c.pairs()
	var plaintext, blob []byte
	r := c.ask(ctx, asking{operation: "GenerateDataKey", of: k, mark: c.mark(), wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.GenerateDataKey(ctx, &kmsv1.GenerateDataKeyRequest{
				KeyId: &k.arn, KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(), EncryptionContext: pairs,
			}, o)
			plaintext, blob = res.GetPlaintext(), res.GetCiphertextBlob()
			return err
		})
	if r.succeeded() && len(plaintext) != 32 {
		c.history.object("data keys", r, "has %d bytes", len(plaintext))
	}
	if r.succeeded() {
		c.history.addSecret(plaintext)
	}
	c.newSealed(r, k, blob, plaintext, pairs, nil)
}

// generateHiddenDataKey makes a data key without its plaintext, and decrypts it.
func (c *client) generateHiddenDataKey(ctx context.Context) {
	k := c.sealing((*key).symmetric)
	if k == nil {
		c.encrypt(ctx)
		return
	}
	pairs := c.pairs()
	s := &sealed{key: k, pairs: pairs}
	s.by = c.ask(ctx, asking{operation: "GenerateDataKeyWithoutPlaintext", of: k, mark: c.mark(), wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.GenerateDataKeyWithoutPlaintext(ctx, &kmsv1.GenerateDataKeyWithoutPlaintextRequest{
				KeyId: &k.arn, KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(), EncryptionContext: pairs,
			}, o)
			s.blob = res.GetCiphertextBlob()
			return err
		})
	if !s.by.succeeded() {
		return
	}
	var plaintext []byte
	r := c.ask(ctx, asking{operation: "Decrypt", of: k, wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.Decrypt(ctx, opening(s), o)
			plaintext = res.GetPlaintext()
			return err
		})
	c.newSealed(r, k, s.blob, plaintext, pairs, nil)
}

// generateDataKeyPair expects that both keys belong together.
func (c *client) generateDataKeyPair(ctx context.Context) {
	spec := kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P256
	if c.rng.IntN(10) == 0 {
		spec = kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_RSA_2048
	}
	k := c.sealing((*key).symmetric)
	if k == nil {
		c.encrypt(ctx)
		return
	}
	if k.kind == stored { // has no pairs
		k = c.shared[0]
	}
	pairs := c.pairs()
	var made *kmsv1.GenerateDataKeyPairResponse
	r := c.ask(ctx, asking{operation: "GenerateDataKeyPair", of: k, mark: c.mark(), wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) (err error) {
			made, err = kms.GenerateDataKeyPair(ctx, &kmsv1.GenerateDataKeyPairRequest{KeyId: &k.arn, KeyPairSpec: &spec, EncryptionContext: pairs}, o)
			return err
		})
	if !r.succeeded() {
		return
	}
	if err := matching(made.GetPrivateKeyPlaintext(), made.GetPublicKey()); err != nil {
		c.history.object("data keys", r, "the pair does not match: %v", err)
	}
	c.newSealed(r, k, made.GetPrivateKeyCiphertextBlob(), made.GetPrivateKeyPlaintext(), pairs, nil)
}

// matching tells whether a private key (PKCS #8) has a public key (PKIX).
func matching(private, public []byte) error {
	p, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("parsing the private key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(publicOf(p))
	if err != nil {
		return fmt.Errorf("encoding its public key: %w", err)
	}
	if !bytes.Equal(der, public) {
		return fmt.Errorf("the public key is another one")
	}
	return nil
}

// encryptUnknown expects that a key that never was is not found.
func (c *client) encryptUnknown(ctx context.Context) {
	unknown := "5c1b6f0e-1f65-4d2a-9f0b-0d5a3c1e7a42"
	plaintext := c.text()
	c.ask(ctx, asking{operation: "Encrypt", name: unknown, mark: c.mark(), wanted: []string{notFound}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &unknown, Plaintext: plaintext, EncryptionContext: c.pairs()}, o)
			return err
		})
}

// encryptBySigning expects that a key that signs does not encrypt.
func (c *client) encryptBySigning(ctx context.Context) {
	plaintext := c.text()
	k := pick(c.rng, c.keys, func(k *key) bool { return k.kind == curve || k.kind == mac })
	if k == nil {
		c.encrypt(ctx)
		return
	}
	c.ask(ctx, asking{operation: "Encrypt", of: k, wanted: []string{wrongUsage}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &k.arn, Plaintext: plaintext}, o)
			return err
		})
}
