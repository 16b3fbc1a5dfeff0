package reliability

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// lateness is how long after its deadline a request may seem to be answered, on a machine
// that has more to do than it can.
const lateness = time.Second

// refusal is a request that failed as the server says; code is that of its exception.
type refusal struct {
	operation, code, text string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %s (%s)", r.operation, r.code, r.text) }

// dialCrowd makes so many connections, of which each has a limit of requests in flight. next
// returns one after the other.
func (w *world) dialCrowd(n int) (next func() *harness.Client, err error) {
	crowd := make([]*harness.Client, n)
	for i := range crowd {
		if crowd[i], err = w.site.Dial(w.server.Address, harness.User); err != nil {
			return nil, err
		}
		w.crowd = append(w.crowd, crowd[i])
	}
	var last atomic.Int64
	return func() *harness.Client { return crowd[int(last.Add(1))%n] }, nil
}

// call makes a request with the world's deadline and fails with errLate when it was
// answered after it, with a *refusal when it failed.
func (w *world) call(operation string, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(w.ctx, w.deadline)
	defer cancel()
	begun := time.Now()
	err := do(ctx)
	if took := time.Since(begun); took > w.deadline+lateness {
		return broken(errLate, "%s took %v, its deadline was after %v", operation, took, w.deadline)
	}
	if err == nil {
		return nil
	}
	return &refusal{operation, reason(err), status.Convert(err).Message()}
}

// reason is the exception that a request failed with, or its code where the server did
// not say.
func reason(err error) string {
	if info := harness.ErrorInfo(err); info != nil {
		return info.GetReason()
	}
	return status.Code(err).String()
}

// served turns the failure of a request into a broken promise.
func served(err error) error {
	if _, failed := err.(*refusal); failed { //nolint:errorlint // one that is wrapped is somebody's verdict already
		return broken(errFailed, "%w", err)
	}
	return err
}

// newKey makes a key for encryption, in the HSMs.
func (w *world) newKey() (string, error) { return w.newKeyOf(&kmsv1.CreateKeyRequest{}) }

// newSigner makes a P-256 key that signs.
func (w *world) newSigner() (string, error) {
	return w.newKeyOf(&kmsv1.CreateKeyRequest{
		KeySpec: kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256.Enum(), KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY.Enum(),
	})
}

func (w *world) newKeyOf(r *kmsv1.CreateKeyRequest) (string, error) {
	var arn string
	err := w.call("CreateKey", func(ctx context.Context) error {
		answer, err := w.client.KMS.CreateKey(ctx, r)
		arn = answer.GetKeyMetadata().GetArn()
		return err
	})
	return arn, err
}

// encrypt encrypts fresh bytes, and keeps what was acknowledged.
func (w *world) encrypt(key string) (acknowledgement, error) { return w.encryptBy(w.client, key) }

func (w *world) encryptBy(client *harness.Client, key string) (acknowledgement, error) {
	plaintext := make([]byte, 32)
	_, _ = rand.Read(plaintext) // never fails
	a := acknowledgement{plaintext: plaintext}
	var header harness.Header
	err := w.call("Encrypt", func(ctx context.Context) error {
		answer, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: plaintext}, header.Option())
		a.ciphertext, a.requestID = answer.GetCiphertextBlob(), header.RequestID()
		return err
	})
	if err == nil {
		w.acks.add(a)
	}
	return a, err
}

// decrypt decrypts what was acknowledged, and compares.
func (w *world) decrypt(a acknowledgement) error {
	return w.call("Decrypt", func(ctx context.Context) error {
		answer, err := w.client.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: a.ciphertext})
		if err == nil && !bytes.Equal(answer.GetPlaintext(), a.plaintext) {
			return broken(errWrong, "a ciphertext decrypts to something else")
		}
		return err
	})
}

// use encrypts and decrypts under a key.
func (w *world) use(key string) error {
	a, err := w.encrypt(key)
	if err != nil {
		return err
	}
	return w.decrypt(a)
}

// sign signs a digest, and has the server verify it outside of the HSM.
func (w *world) sign(key string) error {
	digest := sha256.Sum256([]byte(rand.Text()))
	var signature []byte
	algorithm := kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256.Enum()
	err := w.call("Sign", func(ctx context.Context) error {
		answer, err := w.client.KMS.Sign(ctx, &kmsv1.SignRequest{
			KeyId: &key, Message: digest[:], MessageType: kmsv1.MessageType_MESSAGE_TYPE_DIGEST.Enum(), SigningAlgorithm: algorithm,
		})
		signature = answer.GetSignature()
		return err
	})
	if err != nil {
		return err
	}
	return w.call("Verify", func(ctx context.Context) error {
		_, err := w.client.KMS.Verify(ctx, &kmsv1.VerifyRequest{
			KeyId: &key, Message: digest[:], MessageType: kmsv1.MessageType_MESSAGE_TYPE_DIGEST.Enum(), SigningAlgorithm: algorithm, Signature: signature,
		})
		if status.Code(err) == codes.InvalidArgument {
			return broken(errWrong, "a signature is not the key's: %w", err)
		}
		return err
	})
}

// acknowledgement is a ciphertext that a client was given.
type acknowledgement struct {
	plaintext, ciphertext []byte
	requestID             string
}

// acknowledged is all that clients were given.
type acknowledged struct {
	mu   sync.Mutex
	acks []acknowledgement
}

func (a *acknowledged) add(one acknowledgement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acks = append(a.acks, one)
}

func (a *acknowledged) all() []acknowledgement {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acks
}

// spotChecks is how many ciphertexts are decrypted at the end of a scenario.
const spotChecks = 100

// kept decrypts of what was acknowledged a part that is spread evenly over the scenario.
func (w *world) kept() error {
	all := w.acks.all()
	step := max(1, len(all)/spotChecks)
	for i := 0; i < len(all); i += step {
		if err := w.decrypt(all[i]); err != nil {
			return broken(errLost, "ciphertext %d of %d: %w", i, len(all), err)
		}
	}
	return nil
}
