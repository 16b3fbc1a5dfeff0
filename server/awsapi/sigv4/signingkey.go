package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync"
)

// maxKeys bounds the cache. A client needs one key a day, Region and service.
const maxKeys = 1024

// keyID says what a signing key is for.
type keyID struct{ accessKey, date, region, service string }

// signingKey is a signing key with the digest of the secret that it was derived
// from, so that the key of a secret since replaced is never used.
type signingKey struct{ secret, key [sha256.Size]byte }

// keyCache keeps signing keys: deriving one costs four HMACs. The zero value is
// an empty cache.
type keyCache struct {
	mu   sync.RWMutex
	keys map[keyID]signingKey
}

// get returns the key for id, if it was derived from secret.
func (c *keyCache) get(id keyID, secret string) (key [sha256.Size]byte, ok bool) {
	c.mu.RLock()
	found, ok := c.keys[id]
	c.mu.RUnlock()
	if !ok {
		return key, false
	}
	digest := digestOf(secret)
	return found.key, subtle.ConstantTimeCompare(digest[:], found.secret[:]) == 1
}

// put keeps the key for id. In place of a key that is no longer used, if there are
// too many, it forgets any one: that is derived again when it is needed.
func (c *keyCache) put(id keyID, secret string, key [sha256.Size]byte) {
	id = keyID{strings.Clone(id.accessKey), strings.Clone(id.date), strings.Clone(id.region), strings.Clone(id.service)} // not the request's memory
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[keyID]signingKey)
	}
	if _, replaces := c.keys[id]; !replaces && len(c.keys) >= maxKeys {
		c.forgetOne()
	}
	c.keys[id] = signingKey{secret: digestOf(secret), key: key}
}

func (c *keyCache) forgetOne() {
	for id := range c.keys {
		delete(c.keys, id)
		return
	}
}

// digestOf returns the digest of a secret, of which no copy is made on the heap.
func digestOf(secret string) [sha256.Size]byte {
	var buffer [64]byte
	return sha256.Sum256(append(buffer[:0], secret...))
}

// deriveKey derives the key that signs for a date, a Region and a service.
func deriveKey(secret, date, region, service string) (key [sha256.Size]byte) {
	sum := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, terminator} {
		mac := hmac.New(sha256.New, sum)
		mac.Write([]byte(part))
		sum = mac.Sum(nil)
	}
	copy(key[:], sum)
	return key
}
