// Package jsonenc appends JSON strings to byte slices, for the encoders that
// are written by hand: API events and HSM audit entries are encoded on the path
// of every request, where reflection and a second copy cost too much.
//
// What it writes is valid JSON (RFC 8259) and valid UTF-8 for every input. It
// is also safe to embed in a script or to split into lines: line ends, the other
// control characters, and U+2028 and U+2029 never appear unescaped.
package jsonenc

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// AppendString appends s to dst as a quoted JSON string and returns the
// extended slice. Each byte of s that is not part of valid UTF-8 becomes U+FFFD.
// It does not keep s, and allocates only to grow dst.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if isPlain(s[i]) {
			i++
			continue
		}
		size, escape := scan(s[i:])
		if escape {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, s[i:i+size])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// isPlain says whether b is an ASCII character that stands in a JSON string as
// it is.
func isPlain(b byte) bool {
	return b >= ' ' && b < 0x7f && b != '"' && b != '\\'
}

// scan returns the size in bytes of the first character of s, which is not
// plain, and whether it has to be escaped.
func scan(s string) (size int, escape bool) {
	if s[0] < utf8.RuneSelf {
		return 1, true
	}
	r, size := utf8.DecodeRuneInString(s)
	invalid := r == utf8.RuneError && size == 1
	return size, invalid || r == '\u2028' || r == '\u2029'
}

// appendEscape appends the escape of one character that must not stand as it is.
func appendEscape(dst []byte, char string) []byte {
	switch char {
	case `"`, `\`:
		return append(dst, '\\', char[0])
	case "\n":
		return append(dst, `\n`...)
	case "\r":
		return append(dst, `\r`...)
	case "\t":
		return append(dst, `\t`...)
	case "\u2028":
		return append(dst, `\u2028`...)
	case "\u2029":
		return append(dst, `\u2029`...)
	}
	if b := char[0]; b < utf8.RuneSelf {
		return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
	}
	return append(dst, `\ufffd`...)
}
