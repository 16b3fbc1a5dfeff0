package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Load calls work from inFlight goroutines until more says no or work fails. It
// returns how often work succeeded, and the first error.
func Load(ctx context.Context, inFlight int, more func(done int64) bool, work func(ctx context.Context, worker int) error) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var all sync.WaitGroup
	for i := range inFlight {
		all.Go(func() {
			for ctx.Err() == nil && more(done.Load()) {
				if err := work(ctx, i); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return done.Load(), context.Cause(ctx)
}

// RoundTrip encrypts fresh random bytes, decrypts the answer and compares.
func RoundTrip(ctx context.Context, c *Client, key string) error {
	plaintext := make([]byte, 32)
	if _, err := rand.Read(plaintext); err != nil {
		return fmt.Errorf("making a plaintext: %w", err)
	}
	pairs := map[string]string{"purpose": "integration"}
	sealed, err := c.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: plaintext, EncryptionContext: pairs})
	if err != nil {
		return fmt.Errorf("encrypting: %w", err)
	}
	opened, err := c.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: sealed.GetCiphertextBlob(), EncryptionContext: pairs})
	if err != nil {
		return fmt.Errorf("decrypting: %w", err)
	}
	if !bytes.Equal(opened.GetPlaintext(), plaintext) {
		return fmt.Errorf("an answer decrypts to something else: %d bytes", len(opened.GetPlaintext()))
	}
	return nil
}
