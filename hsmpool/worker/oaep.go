//go:build cgo

package worker

import (
	"crypto"
	"crypto/subtle"
	"encoding/binary"
)

// unpadOAEP returns the message of a block that a raw RSA decryption has left, with the
// label empty and MGF1 by the same hash (RFC 8017, 7.1.2). The message is a part of the
// block, which is overwritten.
//
// Neither the time it takes nor what it touches depends on the block, but for the one bit
// of the answer, and the length of a message that is right: whoever learns more can decrypt
// (Manger's attack).
func unpadOAEP(block []byte, hash crypto.Hash) (message []byte, ok bool) {
	size := hash.Size()
	if len(block) < 2*size+2 {
		return nil, false // the key is too short, which everybody knows
	}
	seed, data := block[1:1+size], block[1+size:]
	mask(seed, data, hash)
	mask(data, seed, hash)

	good := subtle.ConstantTimeByteEq(block[0], 0)
	good &= subtle.ConstantTimeCompare(data[:size], hash.New().Sum(nil))

	// After the hash come zeros, a one, and the message.
	looking, start := 1, 0
	rest := data[size:]
	for i, b := range rest {
		zero, one := subtle.ConstantTimeByteEq(b, 0), subtle.ConstantTimeByteEq(b, 1)
		start = subtle.ConstantTimeSelect(looking&one, i+1, start)
		looking = subtle.ConstantTimeSelect(one, 0, looking)
		good = subtle.ConstantTimeSelect(looking&(zero^1), 0, good)
	}
	good &= looking ^ 1
	if good != 1 {
		return nil, false
	}
	return rest[start:], true
}

// mask adds MGF1 of seed to out (RFC 8017, B.2.1).
func mask(out, seed []byte, hash crypto.Hash) {
	h := hash.New()
	var counter [4]byte
	var digest []byte
	for n := uint32(0); len(out) > 0; n++ {
		binary.BigEndian.PutUint32(counter[:], n)
		h.Reset()
		h.Write(seed)
		h.Write(counter[:])
		digest = h.Sum(digest[:0])
		out = out[subtle.XORBytes(out, out, digest):]
	}
	clear(digest)
}
