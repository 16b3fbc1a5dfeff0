package sigv4_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// TestKeysChange changes an access key whose signing key is cached.
func TestKeysChange(t *testing.T) {
	k := newKeys()
	v := newVerifier(k, signedAt)
	verify := func(s signing) error {
		r := newRequest(nil)
		s.sign(t, r, nil)
		_, err := v.Verify(r, "kms", reading(nil))
		return err
	}
	old, rotated := usual(), usual()
	rotated.secret = "another secret"

	if err := verify(old); err != nil {
		t.Fatal(err)
	}
	k.set(accessKey, sigv4.Credential{Secret: rotated.secret})
	if got := refusal(t, verify(old)); got.Message != mismatch {
		t.Errorf("the secret before the rotation: %v", got)
	}
	if err := verify(rotated); err != nil {
		t.Errorf("the secret after the rotation: %v", err)
	}
	k.remove(accessKey)
	if got := refusal(t, verify(rotated)); got.Kind != unrecognized {
		t.Errorf("after the deletion: %v", got)
	}
	k.set(accessKey, sigv4.Credential{Secret: secret})
	if got := refusal(t, verify(rotated)); got.Message != mismatch {
		t.Errorf("a new key of the same id, with the old one's secret: %v", got)
	}
	if err := verify(old); err != nil {
		t.Errorf("a new key of the same id: %v", err)
	}
}

// TestManyKeys uses more signing keys than are kept, several at a time.
func TestManyKeys(t *testing.T) {
	k := newKeys()
	v := newVerifier(k, signedAt)
	const count = 1200
	requests := make([]*http.Request, count)
	for i := range requests {
		s := usual()
		s.key, s.secret = fmt.Sprintf("AKIA%d", i), fmt.Sprintf("secret %d", i)
		k.set(s.key, sigv4.Credential{Secret: s.secret, Principal: s.key})
		requests[i] = newRequest(nil)
		s.sign(t, requests[i], nil)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, r := range requests {
				signed, err := v.Verify(r, "kms", reading(nil))
				if want := fmt.Sprintf("AKIA%d", i); err != nil || signed.AccessKeyID != want || signed.Principal != want {
					t.Errorf("request %d: %+v, %v", i, signed, err)
				}
			}
		})
	}
	wg.Wait()
}
