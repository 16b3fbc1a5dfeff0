package blob_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/blob"
)

// vector is one golden ciphertext with everything it was made of; binary fields
// are in hex. They were made by another program from the format's description.
type vector struct {
	Name         string            `json:"name"`
	Key          string            `json:"key"`
	KeyID        uuid.UUID         `json:"keyId"`
	BackingKeyID string            `json:"backingKeyId"`
	IV           string            `json:"iv"`
	Context      map[string]string `json:"context"`
	Plaintext    string            `json:"plaintext"`
	AAD          string            `json:"aad"`
	Blob         string            `json:"blob"`
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			h := blob.Header{KeyID: v.KeyID, BackingKeyID: [blob.IDSize]byte(unhex(t, v.BackingKeyID))}
			aad := blob.AAD(h, v.Context)
			if got := hex.EncodeToString(aad); got != v.AAD {
				t.Errorf("AAD: %s, want %s", got, v.AAD)
			}
			nonce := [blob.IVSize]byte(unhex(t, v.IV))
			sealed := v.aead(t).Seal(nil, nonce[:], unhex(t, v.Plaintext), aad)
			data, err := blob.Marshal(h, nonce, sealed)
			if got := hex.EncodeToString(data); got != v.Blob || err != nil {
				t.Errorf("Marshal: %s, %v, want %s", got, err, v.Blob)
			}
			plaintext, err := v.decrypt(t, unhex(t, v.Blob))
			if !bytes.Equal(plaintext, unhex(t, v.Plaintext)) || err != nil {
				t.Errorf("decrypted to %x, %v, want %s", plaintext, err, v.Plaintext)
			}
		})
	}
}

// TestEveryBitIsAuthenticated flips each bit of a blob and expects that it cannot
// be decrypted any more.
func TestEveryBitIsAuthenticated(t *testing.T) {
	v := vectors(t)[1]
	good := unhex(t, v.Blob)
	for bit := range 8 * len(good) {
		damaged := bytes.Clone(good)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, err := v.decrypt(t, damaged); err == nil {
			t.Errorf("with bit %d of byte %d flipped it is still decrypted", bit%8, bit/8)
		}
	}
	for size := range good {
		if _, err := v.decrypt(t, good[:size]); err == nil {
			t.Errorf("cut to %d bytes it is still decrypted", size)
		}
	}
	v.Context = map[string]string{"purpose": "restore"}
	if _, err := v.decrypt(t, good); err == nil {
		t.Error("with another context it is still decrypted")
	}
}

// decrypt does what a Decrypt call does with a blob, on the vector's key.
func (v vector) decrypt(t *testing.T, data []byte) ([]byte, error) {
	t.Helper()
	b, err := blob.Parse(data)
	if err != nil {
		return nil, err
	}
	return v.aead(t).Open(nil, b.IV[:], b.Ciphertext, blob.AAD(b.Header, v.Context))
}

func (v vector) aead(t *testing.T) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(unhex(t, v.Key))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

func vectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no vectors")
	}
	return all
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	data, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
