package sigv4

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCacheIsBounded(t *testing.T) {
	var c keyCache
	for i := range maxKeys + 100 {
		id := keyID{fmt.Sprint(i), "20260228", "eu-central-1", "kms"}
		c.put(id, "secret", deriveKey("secret", id.date, id.region, "kms"))
		if _, ok := c.get(id, "secret"); !ok {
			t.Fatalf("key %d is not kept", i)
		}
	}
	if len(c.keys) != maxKeys {
		t.Errorf("%d keys are kept, want %d", len(c.keys), maxKeys)
	}
	last := keyID{fmt.Sprint(maxKeys + 99), "20260228", "eu-central-1", "kms"}
	c.put(last, "rotated", [32]byte{})
	if _, ok := c.get(last, "secret"); ok || len(c.keys) != maxKeys {
		t.Error("the key of the secret before the rotation is kept")
	}
}

// TestRefusedRequestsAreNotCached: otherwise anybody who knows an access key id
// could turn out the keys of others.
func TestRefusedRequestsAreNotCached(t *testing.T) {
	v := New(Config{})
	r := httptest.NewRequest(http.MethodPost, "https://example.com/", http.NoBody)
	s := signature{authorization{signedHeaders: "host", signature: "00"}, "20260228T235930Z", scope{accessKey: "A", text: "x"}}
	if v.matches(r, nil, s, "secret") || len(v.keys.keys) != 0 {
		t.Error("the key of a refused request is cached")
	}
}
