//go:build cgo

package worker

import (
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// semiblock is the unit of AES key wrapping, in bytes.
	semiblock = 8
	// paddedIV begins the alternative initial value of RFC 5649; the length follows.
	paddedIV = 0xa65959a6
)

// errNotWrapped says nothing of what was found, since it came by a secret key.
var errNotWrapped = errors.New("no key is wrapped there under this key")

// unwrapPadded returns what was wrapped by AES key wrap with padding (RFC 5649,
// CKM_AES_KEY_WRAP_PAD) under a key of 16, 24 or 32 bytes. The caller wipes it.
func unwrapPadded(key, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 2*semiblock || len(wrapped)%semiblock != 0 {
		return nil, errNotWrapped
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("unwrapping: %w", err)
	}
	plain := make([]byte, len(wrapped))
	copy(plain, wrapped)
	if len(plain) == 2*semiblock {
		c.Decrypt(plain, plain)
	} else {
		unwrapBlocks(plain, c.Decrypt)
	}
	content, ok := padded(plain)
	if !ok {
		clear(plain)
		return nil, errNotWrapped
	}
	return content, nil
}

// wrapPadded wraps content under an AES key of 16, 24 or 32 bytes.
func wrapPadded(key, content []byte) ([]byte, error) {
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("wrapping: %w", err)
	}
	b := binary.BigEndian.AppendUint32(nil, paddedIV)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(content))), content...)
	b = append(b, make([]byte, -len(b)&(semiblock-1))...)
	if len(b) == 2*semiblock {
		c.Encrypt(b, b)
		return b, nil
	}
	wrapBlocks(b, c.Encrypt)
	return b, nil
}

// wrapBlocks is the wrapping function W, in place.
func wrapBlocks(b []byte, encrypt func(dst, src []byte)) {
	var block [2 * semiblock]byte
	copy(block[:], b[:semiblock])
	n := len(b)/semiblock - 1
	for t := range 6 * n {
		r := b[semiblock*(1+t%n):][:semiblock]
		copy(block[semiblock:], r)
		encrypt(block[:], block[:])
		first := binary.BigEndian.Uint64(block[:]) ^ uint64(t+1)
		binary.BigEndian.PutUint64(block[:], first)
		copy(r, block[semiblock:])
	}
	copy(b, block[:semiblock])
}

// unwrapBlocks is the inverse of the wrapping function W (RFC 3394, 2.2.2; NIST SP
// 800-38F, 6.1), in place.
func unwrapBlocks(b []byte, decrypt func(dst, src []byte)) {
	var block [2 * semiblock]byte
	defer clear(block[:])
	copy(block[:], b[:semiblock])
	n := len(b)/semiblock - 1
	for t := 6 * n; t > 0; t-- {
		r := b[semiblock*(1+(t-1)%n):][:semiblock]
		first := binary.BigEndian.Uint64(block[:]) ^ uint64(t)
		binary.BigEndian.PutUint64(block[:], first)
		copy(block[semiblock:], r)
		decrypt(block[:], block[:])
		copy(r, block[semiblock:])
	}
	copy(b, block[:semiblock])
}

// padded returns the content of an unwrapped block: what follows the initial value, without
// the zeros at its end.
func padded(plain []byte) ([]byte, bool) {
	content := plain[semiblock:]
	length := int(binary.BigEndian.Uint32(plain[semiblock/2:]))
	if binary.BigEndian.Uint32(plain) != paddedIV || length > len(content) || length <= len(content)-semiblock {
		return nil, false
	}
	var tail byte
	for _, b := range content[length:] {
		tail |= b
	}
	return content[:length], tail == 0
}
