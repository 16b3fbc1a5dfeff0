package sigv4_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// FuzzVerify changes a signed request as HTTP carries it. Verify must never panic,
// and what it accepts must say what was signed.
func FuzzVerify(f *testing.F) {
	v := newVerifier(newKeys(), signedAt)
	var meant []string
	for _, genuine := range genuineRequests(f) {
		f.Add(genuine)
		r := reread(f, genuine)
		if _, err := v.Verify(r, "kms", reading([]byte(decrypt))); err != nil {
			f.Fatal(err)
		}
		meant = append(meant, meaning(r, []byte(decrypt)))
	}
	genuine := genuineRequests(f)[0]
	for _, change := range []struct{ from, to string }{
		{"POST / ", "POST // "}, {"POST / ", "POST /%2e/ "}, {"POST / ", "PUT /?a=b "}, {"POST / ", "POST /?%zz&=&+ "},
		{"POST / ", "POST http://kms.eu-central-1.amazonaws.com/ "}, {"Host: kms", "Host: KMS"}, {", Signed", ",Signed"}, {"Signature=", "Signature=0"},
		{"TrentService.Decrypt", "  TrentService.Decrypt  "}, {"TrentService.Decrypt", "TrentService.Decrypt\r\nX-Amz-Target: a"},
		{"host;", "host;;"}, {"host;", "hoſt;"}, {"AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256,"}, {"20260228T235930Z", "Sat, 28 Feb 2026 23:59:30 GMT"},
		{"X-Amz-Date", "Date"}, {"Content-Length: ", "Content-Length: 0"}, {"/kms/", "//"}, {"Credential=", "Credential=a/"}, {decrypt, `{"a":1}`},
	} {
		f.Add(bytes.ReplaceAll(genuine, []byte(change.from), []byte(change.to)))
	}

	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err != nil {
			return
		}
		signed, err := v.Verify(r, "kms", reading(body))
		if err != nil {
			var refused *sigv4.Error
			if !errors.As(err, &refused) || refused.Message == "" || strings.Contains(refused.Message, secret) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got := meaning(r, body); !slices.Contains(meant, got) {
			t.Fatalf("accepted %q\nwhich says\n%s\nand what was signed is one of\n%q", data, got, meant)
		}
		if signed.AccessKeyID != accessKey || signed.Region != region || signed.Principal != "user/ann" {
			t.Fatalf("accepted as %+v", signed)
		}
	})
}

// meaning is what a server may read in the signed parts of a request, apart from
// the differences that canonical requests do not have.
func meaning(r *http.Request, body []byte) string {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		query = url.Values{"malformed": {r.URL.RawQuery}}
	}
	parts := []string{r.Method, r.Host, path.Clean(r.URL.EscapedPath()), string(body)}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		slices.Sort(query[name])
		parts = append(parts, name+"="+strings.Join(query[name], "&"))
	}
	for _, name := range []string{"Content-Type", "X-Amz-Date", "X-Amz-Target", "X-Amz-Security-Token", "X-Amz-Meta-A"} {
		parts = append(parts, name+": "+strings.Join(strings.Fields(strings.Join(r.Header.Values(name), ",")), " "))
	}
	return strings.Join(parts, "\n")
}

// genuineRequests returns signed requests: as SDKs send them, and one with all
// that canonical requests have rules for.
func genuineRequests(tb testing.TB) [][]byte {
	rich := newRequest([]byte(decrypt))
	rich.URL.Path, rich.URL.RawPath = "/a b/c/d", "/a%20b/c%2Fd"
	rich.URL.RawQuery = "b=2&a=x%20y&a=%2B&c"
	rich.Header["X-Amz-Meta-A"] = []string{"1", "2  3"}
	usual().sign(tb, rich, []byte(decrypt))
	return [][]byte{wire(tb, signedRequest(tb)), wire(tb, rich)}
}

// wire returns a request as HTTP carries it.
func wire(tb testing.TB, r *http.Request) []byte {
	tb.Helper()
	var b bytes.Buffer
	r.Body = io.NopCloser(strings.NewReader(decrypt))
	if err := r.Write(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func reread(tb testing.TB, data []byte) *http.Request {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}
