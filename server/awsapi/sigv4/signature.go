package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
)

// signature is what a request says of its signature.
type signature struct {
	authorization
	at string
	scope
}

// matches says whether the signature of a request is the one that the secret makes.
// Only then is the signing key kept, so that nobody else can fill the cache.
func (v *Verifier) matches(r *http.Request, body []byte, s signature, secret string) bool {
	request, ok := hashRequest(r, body, s.signedHeaders)
	if !ok {
		return false
	}
	id := keyID{s.accessKey, s.date, s.region, s.service}
	key, cached := v.keys.get(id, secret)
	if !cached {
		key = deriveKey(secret, s.date, s.region, s.service)
	}
	if !s.isOf(key, request) {
		return false
	}
	if !cached {
		v.keys.put(id, secret, key)
	}
	return true
}

// isOf says, in time that does not depend on the answer, whether the signature is
// that of a canonical request's hash.
func (s signature) isOf(key [sha256.Size]byte, request [sha256.Size]byte) bool {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(s.appendToSign(make([]byte, 0, 192), request))
	var sum [sha256.Size]byte
	var want, got [2 * sha256.Size]byte
	hex.Encode(want[:], mac.Sum(sum[:0]))
	n := copy(got[:], s.signature)
	return n == len(s.signature) && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// appendToSign appends the string to sign.
func (s signature) appendToSign(dst []byte, request [sha256.Size]byte) []byte {
	dst = append(dst, Algorithm+"\n"...)
	dst = append(append(dst, s.at...), '\n')
	dst = append(append(dst, s.text...), '\n')
	return hex.AppendEncode(dst, request[:])
}
