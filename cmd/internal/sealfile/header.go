package sealfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	magic = "SRSEALED"
	// version is the only format version so far.
	version = 1
	// prefixSize is what stands before the wrapped data key: the magic, the
	// version and the length of the wrapped data key.
	prefixSize = len(magic) + 1 + 2
	// MaxWrappedKeySize is the limit for a wrapped data key in bytes: that of a
	// ciphertext blob in the KMS API.
	MaxWrappedKeySize = 6144
)

var (
	// ErrNotSealed indicates that the input does not begin like a sealed file.
	ErrNotSealed = errors.New("not a sealed file")
	// ErrDamaged indicates that the input was a sealed file once, but was
	// truncated or altered since, or that its data key is another one.
	ErrDamaged = errors.New("sealed file is truncated or altered")
)

// IsSealed reports whether something begins like a sealed file.
func IsSealed(start []byte) bool { return bytes.HasPrefix(start, []byte(magic)) }

// newHeader returns the bytes that precede Tink's stream.
func newHeader(wrapped []byte) ([]byte, error) {
	if len(wrapped) == 0 || len(wrapped) > MaxWrappedKeySize {
		return nil, fmt.Errorf("wrapped data key has %d bytes, want 1 to %d", len(wrapped), MaxWrappedKeySize)
	}
	h := make([]byte, 0, prefixSize+len(wrapped))
	h = append(h, magic...)
	h = append(h, version)
	h = binary.BigEndian.AppendUint16(h, uint16(len(wrapped)))
	return append(h, wrapped...), nil
}

// readHeader reads a header and returns all of it, and the wrapped data key,
// which is a part of it.
func readHeader(r io.Reader) (header, wrapped []byte, err error) {
	prefix := make([]byte, prefixSize)
	n, err := io.ReadFull(r, prefix)
	switch {
	case isTruncation(err) && n >= len(magic) && string(prefix[:len(magic)]) == magic:
		return nil, nil, fmt.Errorf("%w: it ends within its header", ErrDamaged)
	case isTruncation(err):
		return nil, nil, fmt.Errorf("%w: it has only %d bytes", ErrNotSealed, n)
	case err != nil:
		return nil, nil, fmt.Errorf("reading the header: %w", err)
	}
	size, err := checkPrefix(prefix)
	if err != nil {
		return nil, nil, err
	}
	header = append(prefix, make([]byte, size)...)
	wrapped = header[prefixSize:]
	if _, err := io.ReadFull(r, wrapped); err != nil {
		if isTruncation(err) {
			return nil, nil, fmt.Errorf("%w: it ends within the wrapped data key", ErrDamaged)
		}
		return nil, nil, fmt.Errorf("reading the wrapped data key: %w", err)
	}
	return header, wrapped, nil
}

// checkPrefix returns the length of the wrapped data key.
func checkPrefix(prefix []byte) (int, error) {
	if string(prefix[:len(magic)]) != magic {
		return 0, fmt.Errorf("%w: it does not begin with %q", ErrNotSealed, magic)
	}
	if v := prefix[len(magic)]; v != version {
		return 0, fmt.Errorf("%w: unknown format version %d", ErrNotSealed, v)
	}
	size := int(binary.BigEndian.Uint16(prefix[len(magic)+1:]))
	if size == 0 || size > MaxWrappedKeySize {
		return 0, fmt.Errorf("%w: its header says that the wrapped data key has %d bytes, want 1 to %d", ErrDamaged, size, MaxWrappedKeySize)
	}
	return size, nil
}

func isTruncation(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
