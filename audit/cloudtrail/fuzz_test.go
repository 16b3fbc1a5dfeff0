package cloudtrail

import (
	"bytes"
	"os"
	"testing"
	"testing/fstest"
)

// FuzzDecodeDigest wants that whatever is taken for a digest can be written, and is
// the same one then.
func FuzzDecodeDigest(f *testing.F) {
	for _, name := range []string{"testdata/digest-1.json", "testdata/digest-2.json"} {
		content, err := os.ReadFile(name)
		must(f, err)
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := DecodeDigest(content)
		if err != nil {
			return
		}
		once, err := d.Encode()
		if err != nil {
			return // a year that RFC 3339 does not have
		}
		again, err := DecodeDigest(once)
		must(t, err)
		twice, err := again.Encode()
		must(t, err)
		if !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s", once, twice)
		}
	})
}

// FuzzCheck wants no file in the place of a digest to be good, or to be too much.
func FuzzCheck(f *testing.F) {
	content, err := os.ReadFile("testdata/digest-1.json")
	must(f, err)
	file, err := Compress(content)
	must(f, err)
	f.Add(file, []byte("00\n"))
	keys, err := NewKeys(publicDER(signingKey(f)))
	must(f, err)
	name := names.Digest("us-east-1", at)
	f.Fuzz(func(t *testing.T, file, signature []byte) {
		tree := fstest.MapFS{name: {Data: file}, name + SignatureSuffix: {Data: signature}}
		if _, err := Check(t.Context(), tree, keys, CheckOptions{}); err == nil {
			t.Error("a forged digest is good")
		}
	})
}
