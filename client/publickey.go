package client

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// patience is how long a Signer or a Decrypter waits for an answer, with its
// repetitions: the interfaces of package crypto have no context.
const patience = 30 * time.Second

// publicKey is the public half of a key in an HSM, and what is needed to use the
// other half.
type publicKey struct {
	client *Client
	ctx    context.Context //nolint:containedctx // the interfaces of package crypto have none
	id     string          // the key's ARN: an alias may come to mean another key
	public crypto.PublicKey
}

// fetch gets the public key of a key that is there for a use.
func (c *Client) fetch(ctx context.Context, keyID string, want kmsv1.KeyUsageType) (publicKey, *kmsv1.GetPublicKeyResponse, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := c.KMS.GetPublicKey(within, &kmsv1.GetPublicKeyRequest{KeyId: &keyID})
	if err != nil {
		return publicKey{}, nil, fmt.Errorf("getting the public key of %s: %w", keyID, err)
	}
	if got := answer.GetKeyUsage(); got != want {
		return publicKey{}, nil, fmt.Errorf("key %s is a key for %s, not for %s", keyID, short(got), short(want))
	}
	if answer.GetKeySpec() == kmsv1.KeySpec_KEY_SPEC_ECC_SECG_P256_K1 {
		return publicKey{}, nil, fmt.Errorf("key %s is on the curve secp256k1, for which Go has no type of public key: call KMS.Sign", keyID)
	}
	public, err := x509.ParsePKIXPublicKey(answer.GetPublicKey())
	if err != nil {
		return publicKey{}, nil, fmt.Errorf("reading the public key of %s: %w", keyID, err)
	}
	return publicKey{client: c, ctx: ctx, id: answer.GetKeyId(), public: public}, answer, nil
}

// Public returns an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey.
func (k publicKey) Public() crypto.PublicKey { return k.public }

// short is the name of an enumeration's value without that of its type.
func short(value interface {
	Descriptor() protoreflect.EnumDescriptor
	Number() protoreflect.EnumNumber
},
) string {
	zero, named := value.Descriptor().Values().ByNumber(0), value.Descriptor().Values().ByNumber(value.Number())
	if named == nil {
		return fmt.Sprint(value.Number())
	}
	prefix := len(zero.Name()) - len("UNSPECIFIED")
	return string(named.Name()[prefix:])
}
