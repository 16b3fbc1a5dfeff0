package integration

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// newVendorSite makes a site for a token that SoftHSM has not made, with the profile
// for libraries of which nothing is known. Its programs are started by binary.
func newVendorSite(t *testing.T, binary string, token *harness.Token, workerEnv map[string]string) *harness.Site {
	t.Helper()
	if err := token.WritePIN(token.PIN); err != nil {
		t.Fatal(err)
	}
	site, err := harness.NewSite(t.Context(), harness.Options{Binary: binary, Dir: t.TempDir(), Token: token, WorkerEnv: workerEnv})
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(site.Config)
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte("profile: softhsm"), []byte("profile: pkcs11"), 1)
	if err := os.WriteFile(site.Config, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return site
}

// use is something that a key is used for, and the check of what comes out.
type use struct {
	name string
	do   func(ctx context.Context) error
}

// expectUses has many clients at a time use keys, and the worker killed meanwhile:
// every answer is right, and comes.
func expectUses(t *testing.T, server *harness.Server, client *harness.Client, uses ...use) {
	t.Helper()
	for _, u := range uses {
		if err := u.do(within(t, 30*time.Second)); err != nil {
			t.Fatalf("%s: %v", u.name, err)
		}
	}
	const each = 20
	killed := make(chan error, 1)
	go func() { killed <- loseWorker(t.Context(), server) }()
	more := func(done int64) bool { return done < int64(each*len(uses)) }
	_, err := harness.Load(within(t, time.Minute), 2*len(uses), more, func(ctx context.Context, i int) error {
		u := uses[i%len(uses)]
		if err := u.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", u.name, err)
		}
		return nil
	})
	if err := errors.Join(err, <-killed); err != nil {
		t.Fatalf("keys in use by many, and a lost worker: %v", err)
	}
	for _, u := range uses {
		if err := u.do(within(t, 30*time.Second)); err != nil {
			t.Errorf("%s, by the second worker: %v", u.name, err)
		}
	}
	expectRestarts(t, client, 1)
}

// loseWorker kills the server's worker.
func loseWorker(ctx context.Context, server *harness.Server) error {
	pid, err := server.Worker(ctx, 0)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// keyOf makes a key.
func keyOf(t *testing.T, client *harness.Client, spec kmsv1.KeySpec, usage kmsv1.KeyUsageType) string {
	t.Helper()
	made, err := client.KMS.CreateKey(within(t, time.Minute), &kmsv1.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage})
	if err != nil {
		t.Fatalf("a key for %v: %v", spec, err)
	}
	return made.GetKeyMetadata().GetArn()
}

// sealing is encryption by AES-GCM; a ciphertext that was altered is refused as such.
func sealing(t *testing.T, client *harness.Client) use {
	key := newKey(t, client)
	return use{"AES-GCM", func(ctx context.Context) error {
		if err := harness.RoundTrip(ctx, client, key); err != nil {
			return err
		}
		sealed, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("secret")})
		if err != nil {
			return err
		}
		return expectInvalid(ctx, client, &kmsv1.DecryptRequest{CiphertextBlob: altered(sealed.GetCiphertextBlob(), len(sealed.GetCiphertextBlob())-1)})
	}}
}

// publicEncryption is RSA-OAEP; what was altered is refused as such.
func publicEncryption(t *testing.T, client *harness.Client) use {
	key := keyOf(t, client, kmsv1.KeySpec_KEY_SPEC_RSA_2048, kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT)
	oaep := kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256
	return use{"RSA-OAEP", func(ctx context.Context) error {
		sealed, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("secret"), EncryptionAlgorithm: &oaep})
		if err != nil {
			return err
		}
		request := &kmsv1.DecryptRequest{KeyId: &key, CiphertextBlob: sealed.GetCiphertextBlob(), EncryptionAlgorithm: &oaep}
		opened, err := client.KMS.Decrypt(ctx, request)
		if err != nil || string(opened.GetPlaintext()) != "secret" {
			return fmt.Errorf("decrypting: %q, %w", opened.GetPlaintext(), err)
		}
		request.CiphertextBlob = altered(request.CiphertextBlob, 100)
		return expectInvalid(ctx, client, request)
	}}
}

func expectInvalid(ctx context.Context, client *harness.Client, request *kmsv1.DecryptRequest) error {
	_, err := client.KMS.Decrypt(ctx, request)
	if status.Code(err) != codes.InvalidArgument || harness.ErrorInfo(err).GetReason() != "InvalidCiphertextException" {
		return fmt.Errorf("an altered ciphertext: %w", err)
	}
	return nil
}

// signing is a signature that Go's packages verify.
func signing(t *testing.T, client *harness.Client, spec kmsv1.KeySpec, by kmsv1.SigningAlgorithmSpec) use {
	key := keyOf(t, client, spec, kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY)
	known, err := client.KMS.GetPublicKey(within(t, 30*time.Second), &kmsv1.GetPublicKeyRequest{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(known.GetPublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return use{by.String(), func(ctx context.Context) error {
		message := []byte(rand.Text())
		signed, err := client.KMS.Sign(ctx, &kmsv1.SignRequest{KeyId: &key, Message: message, SigningAlgorithm: &by})
		if err != nil {
			return err
		}
		return verify(public, message, signed.GetSignature())
	}}
}

// verify verifies RSA-PSS and ECDSA, with SHA-256.
func verify(public crypto.PublicKey, message, signature []byte) error {
	digest := sha256.Sum256(message)
	switch public := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, nil)
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(public, digest[:], signature) {
			return nil
		}
	}
	return errors.New("the signature is not that of the key")
}

// macing is an HMAC that the token knows again.
func macing(t *testing.T, client *harness.Client) use {
	key := keyOf(t, client, kmsv1.KeySpec_KEY_SPEC_HMAC_256, kmsv1.KeyUsageType_KEY_USAGE_TYPE_GENERATE_VERIFY_MAC)
	by := kmsv1.MacAlgorithmSpec_MAC_ALGORITHM_SPEC_HMAC_SHA_256
	return use{"HMAC", func(ctx context.Context) error {
		message := []byte(rand.Text())
		made, err := client.KMS.GenerateMac(ctx, &kmsv1.GenerateMacRequest{KeyId: &key, Message: message, MacAlgorithm: &by})
		if err != nil {
			return err
		}
		_, err = client.KMS.VerifyMac(ctx, &kmsv1.VerifyMacRequest{KeyId: &key, Message: message, MacAlgorithm: &by, Mac: made.GetMac()})
		return err
	}}
}

// randomness is random bytes of the token.
func randomness(client *harness.Client) use {
	return use{"random", func(ctx context.Context) error {
		const want = 32
		n := int32(want)
		drawn, err := client.KMS.GenerateRandom(ctx, &kmsv1.GenerateRandomRequest{NumberOfBytes: &n})
		if err == nil && len(drawn.GetPlaintext()) != want {
			err = fmt.Errorf("%d bytes", len(drawn.GetPlaintext()))
		}
		return err
	}}
}

// expectUnsupported asks for a key that the token cannot use, which names the mechanism.
func expectUnsupported(t *testing.T, client *harness.Client, spec kmsv1.KeySpec, usage kmsv1.KeyUsageType, mechanism string) {
	t.Helper()
	_, err := client.KMS.CreateKey(within(t, time.Minute), &kmsv1.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage})
	if err == nil || !strings.Contains(err.Error(), mechanism) {
		t.Errorf("a key for %v: %v, want an error that names %s", spec, err, mechanism)
	}
}
