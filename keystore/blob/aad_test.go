package blob_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/keystore/blob"
)

func TestContextSize(t *testing.T) {
	const limit = blob.MaxContextSize
	tests := []struct {
		name    string
		context map[string]string
		fits    bool
	}{
		{"none", nil, true},
		{"empty strings", map[string]string{"": ""}, true},
		{"long value", map[string]string{"key": strings.Repeat("v", limit-3)}, true},
		{"value one too long", map[string]string{"key": strings.Repeat("v", limit-2)}, false},
		{"long key", map[string]string{strings.Repeat("k", limit): ""}, true},
		{"key one too long", map[string]string{strings.Repeat("k", limit): "v"}, false},
		{"several", map[string]string{"a": strings.Repeat("v", limit/2-1), "b": strings.Repeat("v", limit/2-1)}, true},
		{"several, one too many", map[string]string{"a": strings.Repeat("v", limit/2-1), "b": strings.Repeat("v", limit/2)}, false},
		{"bytes, not characters", map[string]string{"key": strings.Repeat("é", limit/2)}, false},
	}
	for _, test := range tests {
		err := blob.CheckContext(test.context)
		if (err == nil) != test.fits || err != nil && !errors.Is(err, blob.ErrContextTooLarge) {
			t.Errorf("%s: %v, want it to fit: %v", test.name, err, test.fits)
		}
	}
}

// TestContextErrorKeepsItsCounsel expects no part of a context in the error.
func TestContextErrorKeepsItsCounsel(t *testing.T) {
	err := blob.CheckContext(map[string]string{"patient": strings.Repeat("x", blob.MaxContextSize)})
	if err == nil || strings.Contains(err.Error(), "patient") || strings.Contains(err.Error(), "xx") {
		t.Errorf("the error is %v, want one without keys and values", err)
	}
}

func TestNilAndEmptyContextAreOne(t *testing.T) {
	if !bytes.Equal(blob.AAD(header(), nil), blob.AAD(header(), map[string]string{})) {
		t.Error("the AAD of a nil context is not that of an empty one")
	}
}

// TestLookalikes lists contexts that a careless encoding would confuse.
func TestLookalikes(t *testing.T) {
	contexts := []map[string]string{
		nil,
		{"": ""},
		{"ab": "c"},
		{"a": "bc"},
		{"abc": ""},
		{"": "abc"},
		{"a": "", "b": "c"},
		{"a": "b", "c": ""},
		{"a": "c", "b": ""},
		{"A": "bc"},
		{"a": "b", "c": "d"},
		{"a": "d", "c": "b"},
		{"a": "b\x00\x00\x00\x01c\x00\x00\x00\x01d"},
		{"é": ""},
		{"e\u0301": ""},
	}
	seen := make(map[string]int)
	for i, context := range contexts {
		aad := string(blob.AAD(header(), context))
		if j, ok := seen[aad]; ok {
			t.Errorf("%q and %q have the same AAD", contexts[j], context)
		}
		seen[aad] = i
	}
}

func TestHeaderIsInTheAAD(t *testing.T) {
	context := map[string]string{"a": "b"}
	base := blob.AAD(header(), context)
	for bit := range 8 * 2 * blob.IDSize {
		other := header()
		if id := bit / 8; id < blob.IDSize {
			other.KeyID[id] ^= 1 << (bit % 8)
		} else {
			other.BackingKeyID[id-blob.IDSize] ^= 1 << (bit % 8)
		}
		if bytes.Equal(base, blob.AAD(other, context)) {
			t.Errorf("flipping bit %d of the ids leaves the AAD as it was", bit)
		}
	}
}

// TestAADCanBeRead reads random AADs back: what can be read back unambiguously is
// different for different inputs.
func TestAADCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		context := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "context")
		got, ok := readContext(blob.AAD(header(), context))
		if !ok || !maps.Equal(context, got) {
			t.Errorf("read back %q, %v, want %q", got, ok, context)
		}
	})
}

// FuzzAAD looks for two contexts, of up to two pairs, with one AAD.
func FuzzAAD(f *testing.F) {
	f.Add("a", "bc", "d", "", "ab", "c", "d", "")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3, k4, v4 string) {
		a := map[string]string{k1: v1, k2: v2}
		b := map[string]string{k3: v3, k4: v4}
		same := bytes.Equal(blob.AAD(header(), a), blob.AAD(header(), b))
		if same != maps.Equal(a, b) {
			t.Errorf("contexts %q and %q: same AAD: %v", a, b, same)
		}
	})
}

// readContext decodes the context's part of an AAD; false unless its pairs are in
// order and nothing is left over.
func readContext(aad []byte) (map[string]string, bool) {
	rest := aad[len("strongroom/blob/v1")+blob.HeaderSize:]
	count := binary.BigEndian.Uint32(rest)
	rest = rest[4:]
	context := make(map[string]string)
	last := ""
	for i := range count {
		var key, value string
		key, rest = readString(rest)
		value, rest = readString(rest)
		if i > 0 && key <= last {
			return nil, false
		}
		last, context[key] = key, value
	}
	return context, len(rest) == 0
}

func readString(data []byte) (s string, rest []byte) {
	n := binary.BigEndian.Uint32(data)
	return string(data[4 : 4+n]), data[4+n:]
}
