package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// contentHash is the header in which a client may say the hash of the body.
const contentHash = "X-Amz-Content-Sha256"

// hashRequest returns the hash of the canonical request. It is not ok if the
// request is not one that can have been signed: if it says another hash of its
// body, lacks a signed header, or has a malformed query.
func hashRequest(r *http.Request, body []byte, signedHeaders string) (sum [sha256.Size]byte, ok bool) {
	dst := make([]byte, 0, 1024)
	dst, ok = appendRequest(dst, r, body, signedHeaders)
	return sha256.Sum256(dst), ok
}

// appendRequest appends the canonical request.
func appendRequest(dst []byte, r *http.Request, body []byte, signedHeaders string) (b []byte, ok bool) {
	dst = append(append(dst, r.Method...), '\n')
	dst = append(appendPath(dst, r.URL), '\n')
	if dst, ok = appendQuery(dst, r.URL.RawQuery); !ok {
		return dst, false
	}
	dst = append(dst, '\n')
	for name := range strings.SplitSeq(signedHeaders, ";") {
		if dst, ok = appendHeader(dst, r, name); !ok {
			return dst, false
		}
	}
	dst = append(dst, '\n')
	dst = append(append(dst, signedHeaders...), '\n')
	return appendBodyHash(dst, r.Header, body)
}

func appendBodyHash(dst []byte, h http.Header, body []byte) (b []byte, ok bool) {
	sum := sha256.Sum256(body)
	start := len(dst)
	dst = hex.AppendEncode(dst, sum[:])
	said := h[contentHash]
	return dst, len(said) == 0 || len(said) == 1 && said[0] == string(dst[start:])
}

// appendHeader appends the line of a signed header, whose name is in lower case.
func appendHeader(dst []byte, r *http.Request, name string) (b []byte, ok bool) {
	dst = append(append(dst, name...), ':')
	if name == "host" { // net/http moves it out of the headers.
		return append(appendFolded(dst, r.Host), '\n'), true
	}
	var key [64]byte
	values := r.Header[string(appendKey(key[:0], name))]
	if len(values) == 0 {
		values = movedHeader(r, name)
	}
	for i, value := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendFolded(dst, value)
	}
	return append(dst, '\n'), len(values) > 0
}

// movedHeader returns the values of the headers that net/http keeps elsewhere.
func movedHeader(r *http.Request, name string) []string {
	switch {
	case name == "transfer-encoding":
		return r.TransferEncoding
	case name == "content-length" && r.ContentLength >= 0 && len(r.TransferEncoding) == 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return nil
}

// appendKey appends the key that http.Header has for a name in lower case.
// http.CanonicalHeaderKey does the same, with an allocation.
func appendKey(dst []byte, name string) []byte {
	upper := true
	for i := range len(name) {
		c := name[i]
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst = append(dst, c)
		upper = c == '-'
	}
	return dst
}

// appendFolded appends a header's value without the spaces around it, and with
// one in place of several.
func appendFolded(dst []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if value[i] == ' ' && value[i-1] == ' ' {
			continue
		}
		dst = append(dst, value[i])
	}
	return dst
}
