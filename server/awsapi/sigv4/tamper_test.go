package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// TestTampering changes each part of a signed request that the signature covers.
func TestTampering(t *testing.T) {
	for name, tamper := range map[string]edit{
		"method":                          func(r *http.Request) { r.Method = http.MethodPut },
		"path":                            func(r *http.Request) { r.URL.Path = "/x" },
		"path, encoded":                   func(r *http.Request) { r.URL.Path, r.URL.RawPath = "//", "/%2F" },
		"query":                           func(r *http.Request) { r.URL.RawQuery = "a=b" },
		"query, with a plus":              func(r *http.Request) { r.URL.RawQuery = "+" },
		"query, malformed":                func(r *http.Request) { r.URL.RawQuery = "a=%zz" },
		"host":                            func(r *http.Request) { r.Host = "kms.us-east-1.amazonaws.com" },
		"port":                            func(r *http.Request) { r.Host += ":444" },
		"content length":                  func(r *http.Request) { r.ContentLength++ },
		"target":                          set("X-Amz-Target", "TrentService.ScheduleKeyDeletion"),
		"target, in another case":         set("X-Amz-Target", "TrentService.decrypt"),
		"target, a second":                func(r *http.Request) { r.Header.Add("X-Amz-Target", "TrentService.ScheduleKeyDeletion") },
		"target, removed":                 del("X-Amz-Target"),
		"content type":                    set("Content-Type", "application/cbor"),
		"time, in the skew":               set("X-Amz-Date", "20260228T235931Z"),
		"Region":                          authorization("/"+region+"/", "/us-east-1/"),
		"signed headers, one less":        authorization("content-type;", ""),
		"signed headers, one more":        authorization("content-type;", "content-type;user-agent;"),
		"signed headers, one that is not": authorization("content-type;", "content-type;x-not-there;"),
		"signed headers, an empty one":    authorization("content-type;", "content-type;;"),
		"signed headers, too many":        authorization("content-type;", "content-type;"+strings.Repeat("host;", 100)),
		"signed headers, another order":   authorization("content-type;host", "host;content-type"),
		"signature, a digit less": func(r *http.Request) {
			h := r.Header.Get("Authorization")
			r.Header.Set("Authorization", h[:len(h)-1])
		},
		"signature, a digit more": func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+"0") },
		"signature, in capitals": func(r *http.Request) {
			head, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", head+"Signature="+strings.ToUpper(signature))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := signedRequest(t)
			tamper(r)
			_, err := newVerifier(newKeys(), signedAt).Verify(r, "kms", reading([]byte(decrypt)))
			if got := refusal(t, err); got.Kind != invalid || got.Message != mismatch {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestTamperingWithTheBody(t *testing.T) {
	v := newVerifier(newKeys(), signedAt)
	for _, body := range []string{"", decrypt + " ", strings.Replace(decrypt, "A", "B", 1)} {
		_, err := v.Verify(signedRequest(t), "kms", reading([]byte(body)))
		if got := refusal(t, err); got.Message != mismatch {
			t.Errorf("%q: %v", body, got)
		}
	}
}

// TestBodyHash has what a client may say of its body: its hash. The requests are
// all signed correctly, with what they say.
func TestBodyHash(t *testing.T) {
	sum := sha256.Sum256([]byte(decrypt))
	bodyHash := hex.EncodeToString(sum[:])
	const ofNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, test := range []struct {
		said, signed string
		ok           bool
	}{
		{bodyHash, bodyHash, true},
		{"", "", false},
		{strings.ToUpper(bodyHash), strings.ToUpper(bodyHash), false},
		{"UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD", false},
		{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false},
		{ofNothing, ofNothing, false},
		{ofNothing, bodyHash, false},
		{"UNSIGNED-PAYLOAD", bodyHash, false},
	} {
		r := newRequest([]byte(decrypt))
		r.Header.Set("X-Amz-Content-Sha256", test.said)
		usual().signHash(t, r, test.signed)
		_, err := newVerifier(newKeys(), signedAt).Verify(r, "kms", reading([]byte(decrypt)))
		if (err == nil) != test.ok {
			t.Errorf("%q, signed with %q: %v", test.said, test.signed, err)
		}
	}
}

// TestEachDigitOfTheSignature changes one after the other.
func TestEachDigitOfTheSignature(t *testing.T) {
	r, v := signedRequest(t), newVerifier(newKeys(), signedAt)
	genuine := r.Header.Get("Authorization")
	for at := strings.LastIndex(genuine, "=") + 1; at < len(genuine); at++ {
		changed := []byte(genuine)
		changed[at] = map[bool]byte{true: '1', false: '0'}[changed[at] == '0']
		r.Header.Set("Authorization", string(changed))
		_, err := v.Verify(r, "kms", reading([]byte(decrypt)))
		if got := refusal(t, err); got.Message != mismatch {
			t.Errorf("%s: %v", changed, got)
		}
	}
}

// TestUnsignedHeaders has headers that may be changed on the way.
func TestUnsignedHeaders(t *testing.T) {
	r := signedRequest(t)
	for name, value := range map[string]string{
		"User-Agent": "proxy", "X-Amz-User-Agent": "aws-sdk-php/3", "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
		"Amz-Sdk-Request": "attempt=2", "X-Forwarded-For": "192.0.2.1",
	} {
		r.Header.Set(name, value)
	}
	if _, err := newVerifier(newKeys(), signedAt).Verify(r, "kms", reading([]byte(decrypt))); err != nil {
		t.Error(err)
	}
}

// TestSeparators has how SDKs write the Authorization header.
func TestSeparators(t *testing.T) {
	for _, change := range []edit{authorization(", ", ","), authorization(", ", " "), authorization(", ", ",   "), authorization(" ", "\t")} {
		r := signedRequest(t)
		change(r)
		if _, err := newVerifier(newKeys(), signedAt).Verify(r, "kms", reading([]byte(decrypt))); err != nil {
			t.Errorf("%s: %v", r.Header.Get("Authorization"), err)
		}
	}
}

// TestSignedByHand has requests as the SDK does not make them, whose signatures are
// right for what they say.
func TestSignedByHand(t *testing.T) {
	const date = "20260228T235930Z"
	for _, test := range []struct {
		name, date, query, canonical, headers string
		ok                                    bool
	}{
		{"Date in the format of HTTP", "Sat, 28 Feb 2026 23:59:30 GMT", "", "", "date;host;x-amz-target", true},
		{"Date in that of X-Amz-Date", date, "", "", "date;host;x-amz-target", true},
		{"Date that is not signed", date, "", "", "host;x-amz-target", true}, // The string to sign has it.
		{"another order of the headers", date, "", "", "x-amz-target;host", true},
		{"a signed header that is not there", date, "", "", "host;x-amz-target;x-not-there", false},
		{"a query", date, "b=%41&&a", "a=&b=A", "host;x-amz-target", true},
		{"a plus, signed as a plus", date, "a=+", "a=%2B", "host;x-amz-target", false},
		{"a plus, signed as a space", date, "a=+", "a=%20", "host;x-amz-target", false},
		{"a malformed query", date, "a=%zz", "a=%zz", "host;x-amz-target", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRequest([]byte(decrypt))
			r.URL.RawQuery = test.query
			r.Header.Set("Date", test.date)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/20260228/"+region+"/kms/aws4_request, SignedHeaders="+
				test.headers+", Signature="+signedByHand(r, test.canonical, test.headers))
			if _, err := newVerifier(newKeys(), signedAt).Verify(r, "kms", reading([]byte(decrypt))); (err == nil) != test.ok {
				t.Error(err)
			}
		})
	}
}

func TestCredentialIsNotPrinted(t *testing.T) {
	c := sigv4.Credential{Secret: secret, SessionToken: token, Principal: "user/ann"}
	s := fmt.Sprintf("%v %+v %#v %s", c, c, c, c)
	if strings.Contains(s, secret) || strings.Contains(s, token) || strings.Count(s, "user/ann") != 4 {
		t.Errorf("printed %q", s)
	}
}

// TestManySignedHeaders signs as many headers as may be.
func TestManySignedHeaders(t *testing.T) {
	for _, test := range []struct {
		count int
		ok    bool
	}{{95, true}, {96, false}} { // The request has five more.
		r := newRequest([]byte(decrypt))
		for i := range test.count {
			r.Header.Set(fmt.Sprintf("X-Amz-Meta-%d", i), "a")
		}
		usual().sign(t, r, []byte(decrypt))
		if _, err := newVerifier(newKeys(), signedAt).Verify(r, "kms", reading([]byte(decrypt))); (err == nil) != test.ok {
			t.Errorf("%d headers: %v", test.count, err)
		}
	}
}
