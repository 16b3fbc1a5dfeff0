package sigv4

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
)

// appendPath appends the canonical path: without dot segments and repeated
// slashes, and encoded once more, since it was encoded already when it was sent.
// (Only Amazon S3 does neither.) A URI that is no path, such as "kms:Decrypt", is
// one that nobody signs.
func appendPath(dst []byte, u *url.URL) []byte {
	sent := u.EscapedPath()
	if u.Opaque != "" {
		sent = u.Opaque
	}
	if sent == "/" {
		return append(dst, '/')
	}
	clean := path.Clean("/" + sent)
	if strings.HasSuffix(sent, "/") && clean != "/" {
		clean += "/"
	}
	return appendEncoded(dst, clean, '/')
}

// appendQuery appends the canonical query: its parameters encoded, and then
// sorted by name and value. It is not ok if one is malformed.
func appendQuery(dst []byte, raw string) (b []byte, ok bool) {
	if raw == "" {
		return dst, true
	}
	var params []parameter
	for text := range strings.SplitSeq(raw, "&") {
		if text == "" {
			continue
		}
		p, ok := parseParameter(text)
		if !ok {
			return dst, false
		}
		params = append(params, p)
	}
	slices.SortFunc(params, parameter.compare)
	for i, p := range params {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(append(append(dst, p.name...), '='), p.value...)
	}
	return dst, true
}

// parameter is one of a query, encoded.
type parameter struct{ name, value string }

func parseParameter(text string) (p parameter, ok bool) {
	name, value, _ := strings.Cut(text, "=")
	p.name, ok = recode(name)
	if !ok {
		return p, false
	}
	p.value, ok = recode(value)
	return p, ok
}

func (p parameter) compare(q parameter) int {
	return cmp.Or(strings.Compare(p.name, q.name), strings.Compare(p.value, q.value))
}

// recode encodes what a client may have encoded more or less than it must. It is
// not ok with a plus, which some read as a plus and some as a space.
func recode(text string) (encoded string, ok bool) {
	plain, err := url.PathUnescape(text)
	return string(appendEncoded(nil, plain, 0)), err == nil && !strings.Contains(text, "+")
}

// appendEncoded appends text with all bytes percent-encoded that RFC 3986 does not
// call unreserved, but for keep.
func appendEncoded(dst []byte, text string, keep byte) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		if c := text[i]; isUnreserved(c) || c == keep && keep != 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
