package jsonenc_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/strongroom-kms/strongroom/proto/jsonenc"
)

func TestAppendString(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", `""`},
		{"plain", "alias/payroll", `"alias/payroll"`},
		{"quote and backslash", `a"b\c`, `"a\"b\\c"`},
		{"line ends and tab", "a\r\n\tb", `"a\r\n\tb"`},
		{"control characters", "\x00\x1b\x1f\x7f", `"\u0000\u001b\u001f\u007f"`},
		{"html is left alone", "<a&b>", `"<a&b>"`},
		{"letters of other scripts", "schlüssel 鍵 🔑", `"schlüssel 鍵 🔑"`},
		{"line and paragraph separator", "a\u2028b\u2029c", `"a\u2028b\u2029c"`},
		{"invalid byte", "a\xffb", `"a\ufffdb"`},
		{"truncated character", "a\xe2\x80", `"a\ufffd\ufffd"`},
		{"surrogate half in UTF-8", "\xed\xa0\x80", `"\ufffd\ufffd\ufffd"`},
		{"a real U+FFFD stays", "\ufffd", "\"\ufffd\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(jsonenc.AppendString(nil, tt.in)); got != tt.want {
				t.Errorf("AppendString(%q) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestAppendStringKeepsWhatStandsBefore(t *testing.T) {
	got := string(jsonenc.AppendString([]byte(`{"k":`), "v"))
	if want := `{"k":"v"`; got != want {
		t.Errorf("AppendString = %s, want %s", got, want)
	}
}

func FuzzAppendString(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		got := jsonenc.AppendString(nil, s)
		if !utf8.Valid(got) || bytes.ContainsAny(got, "\n\r\u2028\u2029") {
			t.Fatalf("AppendString(%q) = %q: not one line of UTF-8", s, got)
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("AppendString(%q) = %s: %v", s, got, err)
		}
		if want := string([]rune(s)); back != want {
			t.Errorf("decoding %s gives %q, want %q", got, back, want)
		}
	})
}

func BenchmarkAppendString(b *testing.B) {
	s := strings.Repeat("arn:aws:kms:us-east-1:000000000000:key/", 2)
	var dst []byte
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		dst = jsonenc.AppendString(dst[:0], s)
	}
}
