package sealfile_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	goldenFile = "testdata/v1.sealed"
	goldenText = "The quick brown fox jumps over the lazy dog.\n"
)

// The golden file is made by hand below, not by the package, so that package
// and description agree or the test fails.
func TestGoldenFileOpens(t *testing.T) {
	made := byDescription(t, wrappedKey, dataKey(), []byte(goldenText))
	if *update {
		if err := os.WriteFile(goldenFile, made, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, golden) {
		t.Errorf("by the description the file is\n%x\nthe golden file is\n%x", made, golden)
	}
	got, err := open(t.Context(), golden)
	if err != nil || string(got) != goldenText {
		t.Errorf("opened %q, err %v; want %q", got, err, goldenText)
	}
}

func TestFilesOfSeveralSegmentsAreAsDescribed(t *testing.T) {
	plaintext := noise(2*segment + 99)
	got, err := open(t.Context(), byDescription(t, wrappedKey, dataKey(), plaintext))
	if err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("opened %d bytes, err %v; want %d", len(got), err, len(plaintext))
	}
}

// byDescription writes a sealed file as docs/formats/sealed-file.md says, with
// the standard library alone, and with a fixed salt and nonce prefix.
func byDescription(t *testing.T, wrapped, key, plaintext []byte) []byte {
	t.Helper()
	out := []byte("SRSEALED\x01")
	out = binary.BigEndian.AppendUint16(out, uint16(len(wrapped)))
	out = append(out, wrapped...)
	header := bytes.Clone(out)

	salt, prefix := bytes.Repeat([]byte{0x53}, 32), bytes.Repeat([]byte{0x4e}, 7)
	out = append(out, 40)
	out = append(out, salt...)
	out = append(out, prefix...)

	fileKey, err := hkdf.Key(sha256.New, key, salt, string(header), 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(fileKey)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	room := segment - 40 - 16
	for number := uint32(0); ; number++ {
		n := min(room, len(plaintext))
		last := byte(0)
		if n == len(plaintext) {
			last = 1
		}
		nonce := append(binary.BigEndian.AppendUint32(bytes.Clone(prefix), number), last)
		out = gcm.Seal(out, nonce, plaintext[:n], nil)
		plaintext = plaintext[n:]
		room = segment - 16
		if last == 1 {
			return out
		}
	}
}

func ExampleOpen_header() {
	sealed, _ := os.ReadFile(goldenFile)
	fmt.Printf("%q\n", sealed[:11])
	// Output: "SRSEALED\x01\x00\x10"
}
