// Package tour makes a first round trip through a server, and shows what it
// left in both audit trails.
package tour

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// step is a request of the tour.
type step struct {
	name      string
	requestID string
}

// Run creates a key, encrypts and decrypts with it, and prints to w, for each
// of the three requests, its API event beside the HSM entries that it caused.
func Run(ctx context.Context, client *connect.Client, w io.Writer) error {
	steps, err := roundTrip(ctx, client.KMS)
	if err != nil {
		return err
	}
	records, err := collect(ctx, client.Operator, steps)
	if err != nil {
		return err
	}
	return show(w, present.Width(w), steps, records)
}

// roundTrip makes the requests and checks that the plaintext comes back.
func roundTrip(ctx context.Context, kms kmsv1.KeyManagementServiceClient) ([]step, error) {
	var createID, encryptID, decryptID metadata.MD
	plaintext := []byte("attack at dawn")
	pairs := map[string]string{"purpose": "tour"}

	created, err := kms.CreateKey(ctx, &kmsv1.CreateKeyRequest{
		Description: new("strongroom dev --tour"),
	}, grpc.Header(&createID))
	if err != nil {
		return nil, fmt.Errorf("creating a key: %w", err)
	}
	encrypted, err := kms.Encrypt(ctx, &kmsv1.EncryptRequest{
		KeyId: created.GetKeyMetadata().Arn, Plaintext: plaintext, EncryptionContext: pairs,
	}, grpc.Header(&encryptID))
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	decrypted, err := kms.Decrypt(ctx, &kmsv1.DecryptRequest{
		CiphertextBlob: encrypted.GetCiphertextBlob(), EncryptionContext: pairs,
	}, grpc.Header(&decryptID))
	if err != nil {
		return nil, fmt.Errorf("decrypting: %w", err)
	}
	if !bytes.Equal(decrypted.GetPlaintext(), plaintext) {
		return nil, errors.New("decryption gave another plaintext than was encrypted")
	}
	return []step{
		{"CreateKey", requestID(createID)},
		{"Encrypt", requestID(encryptID)},
		{"Decrypt", requestID(decryptID)},
	}, nil
}

// requestID is the request's id, which stands in the header of its answer.
func requestID(header metadata.MD) string { return strings.Join(header.Get("x-amzn-requestid"), "") }
