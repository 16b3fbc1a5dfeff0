//go:build cgo

package worker

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func fromHex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func mustWrap(tb testing.TB, key, content []byte) []byte {
	tb.Helper()
	wrapped, err := wrapPadded(key, content)
	if err != nil {
		tb.Fatal(err)
	}
	return wrapped
}

// TestUnwrapPadded has the examples of RFC 5649, section 6.
func TestUnwrapPadded(t *testing.T) {
	key := fromHex(t, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	for _, test := range []struct{ content, wrapped string }{
		{"c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{"466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	} {
		content, wrapped := fromHex(t, test.content), fromHex(t, test.wrapped)
		got, err := unwrapPadded(key, wrapped)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%x: %x, %v", wrapped, got, err)
		}
		if !bytes.Equal(mustWrap(t, key, content), wrapped) {
			t.Error("the test wraps otherwise")
		}
		for n := range wrapped {
			if got, err := unwrapPadded(key, wrapped[:n]); err == nil {
				t.Errorf("the first %d bytes are %x", n, got)
			}
			altered := bytes.Clone(wrapped)
			altered[n] ^= 1
			if got, err := unwrapPadded(key, altered); err == nil {
				t.Errorf("with byte %d altered it is %x", n, got)
			}
		}
	}
}

// TestBadPaddingIsSeen wraps what no wrapper does.
func TestBadPaddingIsSeen(t *testing.T) {
	for _, test := range []struct {
		name  string
		plain string // after unwrapping
		want  string // "": refused
	}{
		{"a key", "a65959a6000000070102030405060700", "01020304050607"},
		{"a whole block", "a65959a6000000080102030405060708", "0102030405060708"},
		{"another initial value", "a65959a7000000070102030405060700", ""},
		{"that of RFC 3394", "a6a6a6a6a6a6a6a60102030405060700", ""},
		{"no content", "a65959a6000000000000000000000000", ""},
		{"more than there is", "a65959a6000000090102030405060708", ""},
		{"far more than there is", "a65959a6ffffffff0102030405060708", ""},
		{"less than a block is filled with", "a65959a600000008010203040506070800000000" + "00000000", ""},
		{"a padding that is not zero", "a65959a6000000070102030405060701", ""},
	} {
		got, ok := padded(fromHex(t, test.plain))
		if ok != (test.want != "") || ok && hex.EncodeToString(got) != test.want {
			t.Errorf("%s: %x, %t", test.name, got, ok)
		}
	}
}

// FuzzUnwrapPadded: what was wrapped is unwrapped, and nothing else is.
func FuzzUnwrapPadded(f *testing.F) {
	key := make([]byte, 32)
	f.Add([]byte("content"))
	f.Add(mustWrap(f, key, []byte("wrapped")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			if got, err := unwrapPadded(key, mustWrap(t, key, b)); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%x became %x, %v", b, got, err)
			}
		}
		before := bytes.Clone(b)
		got, err := unwrapPadded(key, b)
		if err == nil && !bytes.Equal(mustWrap(t, key, got), b) {
			t.Errorf("%x passes for %x wrapped", b, got)
		}
		if !bytes.Equal(before, b) {
			t.Error("the wrapped key was overwritten")
		}
	})
}
