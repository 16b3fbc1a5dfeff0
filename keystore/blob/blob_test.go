package blob_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/blob"
)

func header() blob.Header {
	return blob.Header{
		KeyID:        uuid.MustParse("1234abcd-12ab-34cd-56ef-1234567890ab"),
		BackingKeyID: [blob.IDSize]byte{15: 1},
	}
}

func iv() [blob.IVSize]byte { return [blob.IVSize]byte{11: 1} }

// sealed is as long as the AES-GCM output of n bytes.
func sealed(n int) []byte { return bytes.Repeat([]byte{0xcc}, n+blob.TagSize) }

func TestSizes(t *testing.T) {
	for _, n := range []int{1, 32, blob.MaxPlaintext} {
		data, err := blob.Marshal(header(), iv(), sealed(n))
		if err != nil {
			t.Fatalf("Marshal of %d bytes: %v", n, err)
		}
		if want := n + blob.Overhead; len(data) != want {
			t.Errorf("a blob of %d bytes is %d long, want %d", n, len(data), want)
		}
		got, err := blob.Parse(data)
		want := blob.Blob{Header: header(), IV: iv(), Ciphertext: sealed(n)}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Parse: %v (-want +got):\n%s", err, diff)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	var noKey, noBackingKey blob.Header
	noKey.BackingKeyID = header().BackingKeyID
	noBackingKey.KeyID = header().KeyID
	tests := []struct {
		name       string
		header     blob.Header
		iv         [blob.IVSize]byte
		ciphertext []byte
		says       string
	}{
		{"no key id", noKey, iv(), sealed(1), "the key id is all zero"},
		{"no backing key id", noBackingKey, iv(), sealed(1), "the backing key id is all zero"},
		{"no IV", header(), [blob.IVSize]byte{}, sealed(1), "the initialization vector is all zero"},
		{"nothing", header(), iv(), nil, "0 bytes of ciphertext and tag"},
		{"only a tag", header(), iv(), sealed(0), "16 bytes of ciphertext and tag"},
		{"too long", header(), iv(), sealed(blob.MaxPlaintext + 1), "4113 bytes of ciphertext and tag"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data, err := blob.Marshal(test.header, test.iv, test.ciphertext)
			if data != nil {
				t.Errorf("Marshal returned %d bytes with its error", len(data))
			}
			expectInvalid(t, err, test.says)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good, err := blob.Marshal(header(), iv(), sealed(1))
	if err != nil {
		t.Fatal(err)
	}
	with := func(offset int, field ...byte) []byte {
		return slices.Replace(slices.Clone(good), offset, offset+len(field), field...)
	}
	tests := []struct {
		name string
		data []byte
		says string
	}{
		{"nothing", nil, "it is empty"},
		{"version 0", with(0, 0), "version 0 is not known"},
		{"version 2", with(0, 2), "version 2 is not known"},
		{"only a version", good[:1], "1 bytes long, not 62 to 4157"},
		{"one byte short", good[:len(good)-1], "61 bytes long, not 62 to 4157"},
		{"too long", append(slices.Clone(good), make([]byte, blob.MaxPlaintext)...), "4158 bytes long"},
		{"no key id", with(1, make([]byte, 16)...), "the key id is all zero"},
		{"no backing key id", with(17, make([]byte, 16)...), "the backing key id is all zero"},
		{"no IV", with(33, make([]byte, 12)...), "the initialization vector is all zero"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := blob.Parse(test.data)
			expectInvalid(t, err, test.says)
		})
	}
}

func expectInvalid(t *testing.T, err error, says string) {
	t.Helper()
	if !errors.Is(err, blob.ErrInvalid) {
		t.Fatalf("the error is %v, want ErrInvalid", err)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("the error is %q, want it to say %q", err, says)
	}
}

func TestNothingIsShared(t *testing.T) {
	ciphertext := sealed(8)
	data, err := blob.Marshal(header(), iv(), ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	clear(ciphertext)
	parsed, err := blob.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	want := blob.Blob{Header: header(), IV: iv(), Ciphertext: sealed(8)}
	if diff := cmp.Diff(want, parsed); diff != "" {
		t.Errorf("after its sources were cleared (-want +got):\n%s", diff)
	}
}

// FuzzParse checks that whatever Parse accepts is exactly what Marshal makes.
func FuzzParse(f *testing.F) {
	good, err := blob.Marshal(header(), iv(), sealed(8))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := blob.Parse(data)
		if err != nil {
			if !errors.Is(err, blob.ErrInvalid) {
				t.Errorf("Parse: %v, want ErrInvalid", err)
			}
			return
		}
		again, err := blob.Marshal(parsed.Header, parsed.IV, parsed.Ciphertext)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("Marshal of the parsed blob: %x, %v, want %x", again, err, data)
		}
	})
}
