package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// MaxContextSize is the most that the keys and values of one encryption context
// may have together, in bytes of UTF-8. AWS documents no limit; this is what an
// external key store of AWS KMS accepts.
const MaxContextSize = 8192

// ErrContextTooLarge says that an encryption context is over [MaxContextSize].
var ErrContextTooLarge = errors.New("encryption context is too large")

// domain starts every AAD. It tells this use of a key from any other that AES-GCM
// with additional data may be put to.
const domain = "strongroom/blob/v1"

// CheckContext returns [ErrContextTooLarge] if an encryption context has more
// than [MaxContextSize] bytes of keys and values. Any strings are allowed, the
// empty one too.
func CheckContext(context map[string]string) error {
	if n := contextSize(context); n > MaxContextSize {
		return fmt.Errorf("%w: its keys and values have %d bytes, more than %d",
			ErrContextTooLarge, n, MaxContextSize)
	}
	return nil
}

// AAD makes the additional authenticated data of a blob from its header and the
// caller's encryption context:
//
//	"strongroom/blob/v1" | header, 33 bytes | number of pairs, 4 bytes |
//	for each pair: key length, 4 bytes | key | value length, 4 bytes | value
//
// Numbers are big-endian and pairs are in the byte order of their keys, so the
// order in which a caller wrote them does not matter. Different headers or
// contexts never give the same bytes. A nil context is an empty one. The context
// must have passed [CheckContext].
func AAD(h Header, context map[string]string) []byte {
	size := len(domain) + HeaderSize + 4 + 8*len(context) + contextSize(context)
	aad := make([]byte, 0, size)
	aad = append(aad, domain...)
	aad = h.append(aad)
	aad = appendLength(aad, len(context))
	for _, key := range slices.Sorted(maps.Keys(context)) {
		aad = appendString(aad, key)
		aad = appendString(aad, context[key])
	}
	return aad
}

func contextSize(context map[string]string) int {
	n := 0
	for key, value := range context {
		n += len(key) + len(value)
	}
	return n
}

func appendString(dst []byte, s string) []byte {
	return append(appendLength(dst, len(s)), s...)
}

// appendLength relies on CheckContext: no length comes near 2^32.
func appendLength(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}
