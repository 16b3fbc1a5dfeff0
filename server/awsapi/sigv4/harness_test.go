package sigv4_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

const (
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secret    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	region    = "eu-central-1"
	token     = "IQoJb3JpZ2luX2VjEXAMPLE=="
	decrypt   = `{"CiphertextBlob":"AQICAHg="}`
)

// signedAt is when the requests of these tests are signed.
var signedAt = time.Date(2026, 2, 28, 23, 59, 30, 0, time.UTC)

// keys are access keys that tests change.
type keys struct {
	mu   sync.Mutex
	byID map[string]sigv4.Credential
}

func newKeys() *keys {
	return &keys{byID: map[string]sigv4.Credential{accessKey: {Secret: secret, Principal: "user/ann"}}}
}

// AccessKey is part of sigv4.Credentials.
func (k *keys) AccessKey(_ context.Context, id string) (sigv4.Credential, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.byID[id]
	if !ok {
		return c, sigv4.ErrUnknown
	}
	return c, nil
}

func (k *keys) set(id string, c sigv4.Credential) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID[id] = c
}

func (k *keys) remove(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byID, id)
}

func newVerifier(k sigv4.Credentials, now time.Time) *sigv4.Verifier {
	return sigv4.New(sigv4.Config{
		Credentials: k,
		Region:      func(name string) bool { return name == region || name == "us-east-1" },
		Now:         func() time.Time { return now },
	})
}

// signing is what a request of these tests is signed with.
type signing struct {
	key, secret, token, service, region string
	at                                  time.Time
}

func usual() signing {
	return signing{key: accessKey, secret: secret, service: "kms", region: region, at: signedAt}
}

// sign signs a request as the AWS SDK for Go does.
func (s signing) sign(tb testing.TB, r *http.Request, body []byte) {
	tb.Helper()
	sum := sha256.Sum256(body)
	s.signHash(tb, r, hex.EncodeToString(sum[:]))
}

// signHash signs a request with what it says is the hash of its body.
func (s signing) signHash(tb testing.TB, r *http.Request, hash string) {
	tb.Helper()
	credentials := aws.Credentials{AccessKeyID: s.key, SecretAccessKey: s.secret, SessionToken: s.token}
	if err := v4.NewSigner().SignHTTP(tb.Context(), credentials, r, hash, s.service, s.region, s.at); err != nil {
		tb.Fatal(err)
	}
}

// newRequest returns the unsigned request of a Decrypt.
func newRequest(body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://kms.eu-central-1.amazonaws.com/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.Decrypt")
	r.Header.Set("User-Agent", "aws-cli/2.31.0")
	return r
}

// signedRequest returns the request of a Decrypt as a server gets it.
func signedRequest(tb testing.TB) *http.Request {
	tb.Helper()
	r := newRequest([]byte(decrypt))
	usual().sign(tb, r, []byte(decrypt))
	return r
}

// refusal returns the error of Verify, which has to be for the client.
func refusal(t *testing.T, err error) *sigv4.Error {
	t.Helper()
	var refused *sigv4.Error
	if !errors.As(err, &refused) {
		t.Fatalf("error %v, want a *sigv4.Error", err)
	}
	return refused
}

// signedByHand returns a signature by the text of AWS's documentation, for
// requests that the SDK does not make.
func signedByHand(r *http.Request, query, headers string) string {
	body := sha256.Sum256([]byte(decrypt))
	request := r.Method + "\n/\n" + query + "\n"
	for name := range strings.SplitSeq(headers, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		request += name + ":" + value + "\n"
	}
	request += "\n" + headers + "\n" + hex.EncodeToString(body[:])
	sum := sha256.Sum256([]byte(request))
	key := []byte("AWS4" + secret)
	for _, part := range []string{"20260228", region, "kms", "aws4_request"} {
		key = hmacOf(key, part)
	}
	return hex.EncodeToString(hmacOf(key, "AWS4-HMAC-SHA256\n20260228T235930Z\n20260228/"+region+"/kms/aws4_request\n"+hex.EncodeToString(sum[:])))
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// reading is how a verifier gets the body.
func reading(body []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return body, nil }
}
