package reliability

import (
	"bytes"
	"context"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// A trap: SoftHSM answers CKR_GENERAL_ERROR to an altered ciphertext, as to a token that is
// gone. The caller is told that it is his ciphertext, and nobody else notices.
func TestTrapBadCiphertextsLookLikeAFault(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			good, err := w.encrypt(key)
			if err != nil {
				return err
			}
			clients := w.using(2, key)
			for range 100 {
				if err := w.refusesAltered(good); err != nil {
					return firstOf(err, clients.stopServed())
				}
			}
			return firstOf(clients.stopServed(), w.unharmed(), w.healthy(true))
		},
		without: []needed{{defence.Canary, errVague}},
	}.test(t)
}

// refusesAltered wants a ciphertext with another end to be refused as what it is.
func (w *world) refusesAltered(a acknowledgement) error {
	altered := bytes.Clone(a.ciphertext)
	altered[len(altered)-1] ^= 1
	err := w.call("Decrypt", func(ctx context.Context) error {
		_, err := w.client.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: altered})
		return err
	})
	switch {
	case err == nil:
		return broken(errWrong, "an altered ciphertext was decrypted")
	case !hasCode(err, "InvalidCiphertextException"):
		return broken(errVague, "want InvalidCiphertextException: %w", err)
	}
	return nil
}
