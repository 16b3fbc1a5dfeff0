//go:build cgo

package worker

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// trials returns what is to be tried of a key type. wraps is what an AES key that is wrapped
// itself unwraps by, pairs what a pair is wrapped by.
func trials(s spec, wraps, pairs mechanism) []trial {
	switch {
	case s.kind == kind.AES256:
		return []trial{{kind.Encrypt, kind.AESGCM, mechanism{kind: pkcs11.CKM_AES_GCM, name: aesGCM}, (*probe).trySealing}}
	case !s.pair():
		return macTrials(s.kind)
	case s.bits > 0:
		return slices.Concat(rsaTrials(), unwrapTrials(wraps), []trial{pairTrial(pairs)})
	case s.kind == kind.Ed25519:
		return []trial{signTrial(kind.EdDSA), signTrial(kind.EdDSAph), pairTrial(pairs)}
	}
	all := []trial{signTrial(curveAlgorithm(s.kind))}
	if curveOf(s.params) != nil {
		all = append(all, trial{kind.Agree, kind.ECDH, mechanism{kind: pkcs11.CKM_ECDH1_DERIVE, name: "CKM_ECDH1_DERIVE"}, (*probe).tryAgreeing})
	}
	return append(all, pairTrial(pairs))
}

func macTrials(t kind.KeyType) []trial {
	a := macAlgorithm(t)
	c := signTrial(a)
	c.use, c.try = kind.MAC, func(p *probe) (kind.Means, error) { return kind.InToken, p.tryMAC(a) }
	return []trial{c}
}

// macAlgorithm returns the HMAC that goes with a secret.
func macAlgorithm(t kind.KeyType) kind.Algorithm {
	return map[kind.KeyType]kind.Algorithm{
		kind.HMAC224: kind.HMACSHA224, kind.HMAC256: kind.HMACSHA256, kind.HMAC384: kind.HMACSHA384, kind.HMAC512: kind.HMACSHA512,
	}[t]
}

func rsaTrials() []trial {
	var all []trial
	for _, a := range []kind.Algorithm{kind.OAEPSHA1, kind.OAEPSHA256} {
		all = append(all, trial{kind.Encrypt, a, oaep(crypto.SHA1), func(p *probe) (kind.Means, error) { return p.tryDecrypting(a) }})
	}
	for _, a := range []kind.Algorithm{
		kind.PKCS1SHA256, kind.PKCS1SHA384, kind.PKCS1SHA512, kind.PSSSHA256, kind.PSSSHA384, kind.PSSSHA512,
	} {
		all = append(all, signTrial(a))
	}
	return all
}

// unwrapTrials have an AES key unwrapped by each algorithm.
func unwrapTrials(wraps mechanism) []trial {
	var all []trial
	for _, a := range []kind.Algorithm{kind.WrapOAEPSHA1, kind.WrapOAEPSHA256, kind.WrapRSAAESSHA1, kind.WrapRSAAESSHA256} {
		method, err := wrapMethodOf(a)
		by := oaep(method.hash)
		if method.twice {
			by = wraps
		}
		all = append(all, trial{kind.Unwrap, a, by, func(p *probe) (kind.Means, error) {
			if err != nil {
				return "", err
			}
			return p.unwrapsKnown(method, p.object(), p.bag.requestID)
		}})
	}
	return all
}

// curveAlgorithm returns the ECDSA that goes with a curve: by the hash of its strength.
func curveAlgorithm(t kind.KeyType) kind.Algorithm {
	switch t {
	case kind.P384:
		return kind.ECDSASHA384
	case kind.P521:
		return kind.ECDSASHA512
	default:
		return kind.ECDSASHA256
	}
}

func signTrial(a kind.Algorithm) trial {
	m, err := methodOf(a)
	return trial{kind.Sign, a, m.by, func(p *probe) (kind.Means, error) {
		if err != nil {
			return "", err
		}
		return kind.InToken, p.trySigning(a, m)
	}}
}

func pairTrial(by mechanism) trial {
	return trial{0, kind.KeyPair, by, func(p *probe) (kind.Means, error) {
		_, err := p.takeOut(p.key.key, p.bag)
		return kind.WithWorker, err
	}}
}

// trialTemplate is the template of a key of the session that may do all that is tried.
func (s spec) trialTemplate() []*pkcs11.Attribute {
	usages := []uint{pkcs11.CKA_SIGN}
	switch {
	case s.kind == kind.AES256:
		usages = []uint{pkcs11.CKA_ENCRYPT, pkcs11.CKA_DECRYPT}
	case s.bits > 0:
		usages = append(usages, pkcs11.CKA_DECRYPT, pkcs11.CKA_UNWRAP)
	case s.pair() && curveOf(s.params) != nil:
		usages = append(usages, pkcs11.CKA_DERIVE)
	}
	t := extractable()
	if !s.pair() {
		t = append(t, pkcs11.NewAttribute(pkcs11.CKA_CLASS, s.class()),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, s.keyType), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, s.length))
	}
	for _, usage := range usages {
		t = append(t, pkcs11.NewAttribute(usage, true))
	}
	return t
}

func (p *probe) object() *object { return &object{handle: p.key.key} }

// errDiffers: the token did something, but not what the algorithm is.
var errDiffers = errors.New("the token's answer is wrong")

func (p *probe) trySealing() (kind.Means, error) {
	want, aad := []byte("self-test"), []byte("aad")
	var iv [ivSize]byte
	if err := p.sealOnce(p.object(), &iv, bytes.Clone(want), false, aad).err(); err != nil {
		return "", err
	}
	if err := p.openOnce(p.object(), iv[:], bytes.Clone(p.out), aad).err(); err != nil {
		return "", err
	}
	if !bytes.Equal(p.out, want) || iv == [ivSize]byte{} {
		return "", errDiffers
	}
	return kind.InToken, nil
}

// tryMAC cannot see the secret, and compares the answers to two messages.
func (p *probe) tryMAC(a kind.Algorithm) error {
	var answers [][]byte
	for _, message := range []string{"one", "one", "another"} {
		signature, err := p.signature(a, []byte(message))
		if err != nil {
			return err
		}
		answers = append(answers, signature)
	}
	if len(answers[0]) != int(p.spec.length) || !bytes.Equal(answers[0], answers[1]) || bytes.Equal(answers[1], answers[2]) {
		return errDiffers
	}
	return nil
}

// signature signs the digest of a message, or the message.
func (p *probe) signature(a kind.Algorithm, message []byte) ([]byte, error) {
	m, err := methodOf(a)
	if err != nil {
		return nil, err
	}
	in, err := m.prepare(m.digest(message))
	if err != nil {
		return nil, err
	}
	if err := p.signOnce(uint(p.key.key), m.by, in).err(); err != nil {
		return nil, err
	}
	signature, err := m.encode(bytes.Clone(p.out))
	return signature, err
}

// digest returns what is signed of a message.
func (m method) digest(message []byte) []byte {
	if m.hash == 0 {
		return message
	}
	h := m.hash.New()
	h.Write(message)
	return h.Sum(nil)
}

func (p *probe) trySigning(a kind.Algorithm, m method) error {
	message := []byte("self-test")
	signature, err := p.signature(a, message)
	if err != nil {
		return err
	}
	if p.spec.kind == kind.Secp256k1 {
		return p.verifyInToken(m, m.digest(message))
	}
	key, err := x509.ParsePKIXPublicKey(p.spki)
	if err != nil {
		return fmt.Errorf("reading the public key: %w", err)
	}
	if !verifies(key, m, m.digest(message), signature) {
		return errDiffers
	}
	return nil
}

// verifyInToken verifies what was signed last, on a curve that Go's packages do not know.
func (p *probe) verifyInToken(m method, digest []byte) error {
	ctx := p.token.ctx
	if err := ctx.VerifyInit(p.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(m.by.kind, nil)}, p.key.public); err != nil {
		return &opError{function: "C_VerifyInit", err: err}
	}
	if err := ctx.Verify(p.session, digest, p.out); err != nil {
		return &opError{function: "C_Verify", err: err}
	}
	return nil
}

// verifies tells whether a signature is right, by Go's packages.
func verifies(key any, m method, digest, signature []byte) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if m.by.kind == pkcs11.CKM_RSA_PKCS_PSS {
			return rsa.VerifyPSS(key, m.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, m.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(key, digest, signature, &ed25519.Options{Hash: m.hash}) == nil
	}
	return false
}

func (p *probe) tryDecrypting(a kind.Algorithm) (kind.Means, error) {
	hash, err := oaepHash(a)
	if err != nil {
		return "", err
	}
	key, err := x509.ParsePKIXPublicKey(p.spki)
	if err != nil {
		return "", err
	}
	want := []byte("self-test")
	ciphertext, err := rsa.EncryptOAEP(hash.New(), rand.Reader, key.(*rsa.PublicKey), want, nil)
	if err != nil {
		return "", err
	}
	message, res := p.decryptOnce(p.object(), hash, ciphertext)
	switch {
	case res.err() != nil:
		return "", res.err()
	case !bytes.Equal(message, want):
		return "", errDiffers
	case hash != crypto.SHA1 && p.token.rawOAEP.Load():
		return kind.WithWorker, nil
	}
	return kind.InToken, nil
}

func (p *probe) tryAgreeing() (kind.Means, error) {
	curve := curveOf(p.spec.params)
	ours, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	peer, err := x509.MarshalPKIXPublicKey(ours.PublicKey())
	if err != nil {
		return "", err
	}
	if err := p.agreeOnce(derivation{obj: p.object(), curve: curve, requestID: p.bag.requestID}, peer).err(); err != nil {
		return "", err
	}
	want, err := sharedSecret(ours, p.spki)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(p.out, want) {
		return "", errDiffers
	}
	return kind.InToken, nil
}

func sharedSecret(ours *ecdh.PrivateKey, spki []byte) ([]byte, error) {
	theirs, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	key, err := theirs.(*ecdsa.PublicKey).ECDH()
	if err != nil {
		return nil, err
	}
	return ours.ECDH(key)
}
