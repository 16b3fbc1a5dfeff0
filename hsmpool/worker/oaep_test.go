//go:build cgo

package worker

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // OAEP by SHA-1
	"math/big"
	"slices"
	"testing"
)

// padOAEP makes a block of a data block that begins with the hash of the label.
func padOAEP(hash crypto.Hash, size int, data []byte) []byte {
	block := make([]byte, size)
	seed, masked := block[1:1+hash.Size()], block[1+hash.Size():]
	seed[0] = 7
	copy(masked, hash.New().Sum(nil))
	copy(masked[hash.Size():], data)
	mask(masked, seed, hash)
	mask(seed, masked, hash)
	return block
}

// TestUnpadOAEP takes apart what Go's package has encrypted.
func TestUnpadOAEP(t *testing.T) {
	key := rsaKey(t)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA512} {
		for _, size := range []int{0, 1, 2, 100, key.Size() - 2*hash.Size() - 2} {
			message := bytes.Repeat([]byte{1}, size)
			ciphertext, err := rsa.EncryptOAEP(hash.New(), rand.Reader, &key.PublicKey, message, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := unpadOAEP(rawDecrypt(key, ciphertext), hash)
			if !ok || !bytes.Equal(got, message) {
				t.Fatalf("%v, %d bytes: %x, %t", hash, size, got, ok)
			}
		}
	}
}

func TestUnpadOAEPRefuses(t *testing.T) {
	hash, size := crypto.SHA256, 256
	room := size - 2*hash.Size() - 1
	good := append(make([]byte, room-8), 1, 'm', 'e', 's', 's', 'a', 'g', 'e')
	whole := padOAEP(hash, size, good)
	if got, ok := unpadOAEP(slices.Clone(whole), hash); !ok || string(got) != "message" {
		t.Fatalf("a good block: %q, %t", got, ok)
	}
	for name, block := range map[string][]byte{
		"a first byte that is not zero": append([]byte{1}, whole[1:]...),
		"another hash":                  padOAEP(crypto.SHA1, size, good),
		"no separator":                  padOAEP(hash, size, make([]byte, room)),
		"another separator":             padOAEP(hash, size, append(make([]byte, room-2), 2, 7)),
		"something before it":           padOAEP(hash, size, append([]byte{0, 255, 0, 1}, make([]byte, room-4)...)),
		"zeros":                         make([]byte, size),
		"too short for the hash":        make([]byte, 2*hash.Size()+1),
		"nothing":                       nil,
	} {
		if got, ok := unpadOAEP(block, hash); ok || got != nil {
			t.Errorf("%s passes for %x", name, got)
		}
	}
}

func rsaKey(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// rawDecrypt is what CKM_RSA_X_509 does.
func rawDecrypt(key *rsa.PrivateKey, ciphertext []byte) []byte {
	m := new(big.Int).Exp(new(big.Int).SetBytes(ciphertext), key.D, key.N)
	return m.FillBytes(make([]byte, key.Size()))
}

// naive takes a block apart as one would who has no secrets to keep.
func naive(block []byte, hash crypto.Hash) (message []byte, ok bool) {
	seed, data := slices.Clone(block[1:1+hash.Size()]), slices.Clone(block[1+hash.Size():])
	mask(seed, data, hash)
	mask(data, seed, hash)
	rest, found := bytes.CutPrefix(data, hash.New().Sum(nil))
	if !found || block[0] != 0 {
		return nil, false
	}
	return bytes.CutPrefix(bytes.TrimLeft(rest, "\x00"), []byte{1})
}

// FuzzUnpadOAEP agrees with the naive way about each block: whole, or of a data block.
func FuzzUnpadOAEP(f *testing.F) {
	const size = 256
	hash := crypto.SHA256
	room := size - 2*hash.Size() - 1
	f.Add(padOAEP(hash, size, append(make([]byte, room-2), 1, 7)), true)
	f.Add(append(make([]byte, room-2), 1, 7), false)
	f.Add(bytes.Repeat([]byte{0, 1}, room/2), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		block := make([]byte, size)
		if whole {
			copy(block, b)
		} else {
			block = padOAEP(hash, size, b[:min(len(b), room)])
		}
		want, good := naive(block, hash)
		got, ok := unpadOAEP(slices.Clone(block), hash)
		if ok != good || ok && !bytes.Equal(got, want) {
			t.Errorf("%x is %x, %t; the naive way %x, %t", block, got, ok, want, good)
		}
	})
}
