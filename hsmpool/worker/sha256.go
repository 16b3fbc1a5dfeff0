//go:build cgo

package worker

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
)

// sha256Padding is what SHA-256 adds to a message of so many bytes: a one, zeros, and the
// length in bits, up to a whole block.
func sha256Padding(length int) []byte {
	zeros := -(length + 1 + 8) & (sha256.BlockSize - 1)
	padding := append([]byte{0x80}, make([]byte, zeros)...)
	return binary.BigEndian.AppendUint64(padding, uint64(length)*8)
}

// continued returns the digest of a message of whole blocks, of which the state of SHA-256
// at its end is known: it is the digest of the message without its padding.
func continued(state []byte, length int) ([]byte, error) {
	const magic = 4 // bytes before the state, as crypto/sha256 encodes it
	h := sha256.New()
	h.Write(make([]byte, length)) // for its length
	encoded, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, err
	}
	if len(state) != sha256.Size || length%sha256.BlockSize != 0 {
		return nil, errors.New("no state of SHA-256 between two blocks")
	}
	copy(encoded[magic:], state)
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(encoded); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
