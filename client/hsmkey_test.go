package client_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/client"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

const (
	forSigning    = kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY
	forEncryption = kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT
)

// newKey makes a key of a kind.
func newKey(t *testing.T, server *strongroomtest.Server, spec kmsv1.KeySpec, usage kmsv1.KeyUsageType) string {
	t.Helper()
	answer, err := server.Admin.KMS.CreateKey(t.Context(), &kmsv1.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetKeyMetadata().GetArn()
}

func newSigner(t *testing.T, server *strongroomtest.Server, spec kmsv1.KeySpec) *client.Signer {
	t.Helper()
	signer, err := server.Admin.Signer(t.Context(), newKey(t, server, spec, forSigning))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Signatures of keys in the HSM are good to the standard library.
func TestSignatures(t *testing.T) {
	server := strongroomtest.Start(t)
	message := []byte("attack at dawn")
	digest := sha256.Sum256(message)
	rsaSigner, ecSigner := newSigner(t, server, kmsv1.KeySpec_KEY_SPEC_RSA_2048), newSigner(t, server, kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256)
	edSigner := newSigner(t, server, kmsv1.KeySpec_KEY_SPEC_ECC_NIST_EDWARDS25519)
	rsaKey, _ := rsaSigner.Public().(*rsa.PublicKey)
	ecKey, _ := ecSigner.Public().(*ecdsa.PublicKey)
	edKey, _ := edSigner.Public().(ed25519.PublicKey)
	pss := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
	tests := map[string]struct {
		signer crypto.Signer
		input  []byte
		opts   crypto.SignerOpts
		good   func(signature []byte) bool
	}{
		"PKCS #1 v1.5": {rsaSigner, digest[:], crypto.SHA256, func(s []byte) bool { return rsa.VerifyPKCS1v15(rsaKey, crypto.SHA256, digest[:], s) == nil }},
		"PSS":          {rsaSigner, digest[:], pss, func(s []byte) bool { return rsa.VerifyPSS(rsaKey, crypto.SHA256, digest[:], s, pss) == nil }},
		"ECDSA":        {ecSigner, digest[:], crypto.SHA256, func(s []byte) bool { return ecdsa.VerifyASN1(ecKey, digest[:], s) }},
		"Ed25519":      {edSigner, message, crypto.Hash(0), func(s []byte) bool { return ed25519.Verify(edKey, message, s) }},
	}
	for name, test := range tests {
		signature, err := test.signer.Sign(rand.Reader, test.input, test.opts)
		if err != nil || !test.good(signature) {
			t.Errorf("%s: the signature is %x, %v", name, signature, err)
		}
	}
}

// selfSigned is a certificate of a key for localhost, by that key.
func selfSigned(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// A TLS server's key may be in the HSM.
func TestATLSServer(t *testing.T) {
	server := strongroomtest.Start(t)
	signer := newSigner(t, server, kmsv1.KeySpec_KEY_SPEC_RSA_2048)
	certificate := selfSigned(t, signer)
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	here, there := net.Pipe()
	peer := tls.Server(here, &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: signer}},
	})
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(peer.HandshakeContext(t.Context()), here.Close()) }()
	caller := tls.Client(there, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "localhost"})
	if err := caller.HandshakeContext(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := there.Close(); err != nil {
		t.Error(err)
	}
}

func TestDecryption(t *testing.T) {
	server := strongroomtest.Start(t)
	decrypter, err := server.Admin.Decrypter(t.Context(), newKey(t, server, kmsv1.KeySpec_KEY_SPEC_RSA_2048, forEncryption))
	if err != nil {
		t.Fatal(err)
	}
	public, _ := decrypter.Public().(*rsa.PublicKey)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		sealed, err := rsa.EncryptOAEP(hash.New(), rand.Reader, public, []byte("secret"), nil)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := decrypter.Decrypt(nil, sealed, &rsa.OAEPOptions{Hash: hash})
		if err != nil || string(opened) != "secret" {
			t.Errorf("%v: got %q, %v", hash, opened, err)
		}
	}
	_, err = decrypter.Decrypt(nil, make([]byte, 256), &rsa.OAEPOptions{Hash: crypto.SHA256})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Name != "InvalidCiphertextException" {
		t.Errorf("a bad ciphertext: %v", err)
	}
}

func TestKeysThatCannotSign(t *testing.T) {
	server := strongroomtest.Start(t)
	tests := map[string]string{
		newKey(t, server, kmsv1.KeySpec_KEY_SPEC_ECC_SECG_P256_K1, forSigning): "secp256k1",
		newKey(t, server, kmsv1.KeySpec_KEY_SPEC_RSA_2048, forEncryption):      "for ENCRYPT_DECRYPT, not for SIGN_VERIFY",
		"0a1b2c3d-0000-4000-8000-000000000000":                                 "NotFoundException",
	}
	for key, want := range tests {
		if _, err := server.Admin.Signer(t.Context(), key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestRegionOfAClient(t *testing.T) {
	server := strongroomtest.Start(t, strongroomtest.WithRegions("eu-west-1", "ap-south-1"))
	config := server.Config("app")
	config.Region = "ap-south-1"
	c := dial(t, server.Address, config)
	if err := random(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := random(client.WithRegion(t.Context(), "eu-west-1"), c); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"ap-south-1", "eu-west-1"} {
		if got := server.Events()[i].AWSRegion; got != want {
			t.Errorf("call %d is in %s, want %s", i, got, want)
		}
	}
}
