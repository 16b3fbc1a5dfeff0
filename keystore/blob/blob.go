// Package blob is the format of the ciphertexts that Strongroom hands out: one
// self-contained value that names the key it was made with and carries all that
// its decryption needs, except the key and the encryption context.
//
// Version 1 holds an AES-256-GCM ciphertext (NIST SP 800-38D):
//
//	offset  size  field
//	0       1     version, 0x01
//	1       16    key id: the KMS key's UUID
//	17      16    backing key id: CKA_ID of the token object that encrypted
//	33      12    initialization vector
//	45      n     ciphertext, 1 to 4096 bytes, as long as its plaintext
//	45+n    16    authentication tag
//
// Every bit of it is authenticated: the first 33 bytes, the [Header], are part of
// the additional authenticated data that [AAD] makes, and the rest is AES-GCM's
// own input. docs/formats/blob.md describes both byte by byte.
//
// The package does no cryptography and keeps no state; all of it is safe for
// concurrent use.
package blob

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Version is the first byte of every blob that this package makes.
const Version = 0x01

// Sizes of the parts of a version 1 blob, in bytes.
const (
	IDSize     = 16
	HeaderSize = 1 + 2*IDSize
	IVSize     = 12
	TagSize    = 16

	// Overhead is what a blob is longer than its plaintext.
	Overhead = HeaderSize + IVSize + TagSize

	// MaxPlaintext is the longest plaintext that a blob can hold: the limit of
	// AWS KMS for Encrypt.
	MaxPlaintext = 4096

	// MinSize and MaxSize bound a whole blob. AWS KMS clients accept up to 6144
	// bytes.
	MinSize = Overhead + 1
	MaxSize = Overhead + MaxPlaintext
)

// ErrInvalid says that bytes are not a blob, or that parts cannot become one. It
// is wrapped with what is wrong.
var ErrInvalid = errors.New("invalid ciphertext blob")

// Header names the keys that a blob was made with. It is authenticated, not
// encrypted.
type Header struct {
	// KeyID is the KMS key's id, the last part of its ARN.
	KeyID uuid.UUID
	// BackingKeyID is the CKA_ID of the token object that did the encryption:
	// one generation of the KMS key's material.
	BackingKeyID [IDSize]byte
}

// Blob is a parsed blob. It shares no memory with what it was parsed from.
type Blob struct {
	Header Header
	IV     [IVSize]byte
	// Ciphertext is the AES-GCM output: the ciphertext followed by its tag.
	Ciphertext []byte
}

// Marshal makes a blob of an AES-GCM output, which is the ciphertext followed by
// its tag. It keeps no reference to its arguments. It returns [ErrInvalid] for
// parts that [Parse] would refuse, so that nothing is handed out that could never
// be decrypted.
func Marshal(h Header, iv [IVSize]byte, ciphertext []byte) ([]byte, error) {
	b := Blob{Header: h, IV: iv, Ciphertext: ciphertext}
	if err := b.check(); err != nil {
		return nil, err
	}
	data := make([]byte, 0, HeaderSize+IVSize+len(ciphertext))
	data = h.append(data)
	data = append(data, iv[:]...)
	return append(data, ciphertext...), nil
}

// Parse takes a blob apart. It returns [ErrInvalid] unless data is exactly one
// blob of a known version with its ids and IV set. What it returns is not
// authentic before its decryption with [AAD] has succeeded.
func Parse(data []byte) (Blob, error) {
	if len(data) == 0 {
		return Blob{}, fmt.Errorf("%w: it is empty", ErrInvalid)
	}
	if data[0] != Version {
		return Blob{}, fmt.Errorf("%w: version %d is not known", ErrInvalid, data[0])
	}
	if len(data) < MinSize || len(data) > MaxSize {
		return Blob{}, fmt.Errorf("%w: %d bytes long, not %d to %d", ErrInvalid, len(data), MinSize, MaxSize)
	}
	b := split(data)
	if err := b.check(); err != nil {
		return Blob{}, err
	}
	return b, nil
}

// split copies the fields of a blob whose length has been checked.
func split(data []byte) Blob {
	var b Blob
	rest := data[1:]
	rest = rest[copy(b.Header.KeyID[:], rest):]
	rest = rest[copy(b.Header.BackingKeyID[:], rest):]
	rest = rest[copy(b.IV[:], rest):]
	b.Ciphertext = append([]byte(nil), rest...)
	return b
}

// check refuses what no sound encryption produces. Ids and IVs are random, so an
// all-zero one was never set: an IV that a token failed to fill in would be used
// twice, which breaks AES-GCM.
func (b Blob) check() error {
	n := len(b.Ciphertext) - TagSize
	switch {
	case n < 1 || n > MaxPlaintext:
		return fmt.Errorf("%w: %d bytes of ciphertext and tag, not %d to %d",
			ErrInvalid, len(b.Ciphertext), 1+TagSize, MaxPlaintext+TagSize)
	case b.Header.KeyID == uuid.Nil:
		return fmt.Errorf("%w: the key id is all zero", ErrInvalid)
	case b.Header.BackingKeyID == [IDSize]byte{}:
		return fmt.Errorf("%w: the backing key id is all zero", ErrInvalid)
	case b.IV == [IVSize]byte{}:
		return fmt.Errorf("%w: the initialization vector is all zero", ErrInvalid)
	}
	return nil
}

// append adds the header's bytes as they stand in a blob and in its AAD.
func (h Header) append(dst []byte) []byte {
	dst = append(dst, Version)
	dst = append(dst, h.KeyID[:]...)
	return append(dst, h.BackingKeyID[:]...)
}
