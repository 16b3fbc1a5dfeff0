package cli_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMaterialIsWrappedForItsKey opens what was wrapped, of the longest material too.
func TestMaterialIsWrappedForItsKey(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	wrapping := filepath.Join(t.TempDir(), "wrap.der")
	if err := os.WriteFile(wrapping, der, 0o600); err != nil {
		t.Fatal(err)
	}
	for algorithm, of := range map[string]struct {
		hash    func() hash.Hash
		longest int
	}{
		"RSAES_OAEP_SHA_1":   {sha1.New, 214},
		"RSAES_OAEP_SHA_256": {sha256.New, 190},
	} {
		for n, want := range map[int]int{0: 2, 1: 0, 32: 0, of.longest: 0, of.longest + 1: 2} {
			material := strings.Repeat("k", n)
			got := run(t.Context(), nil, material, "key", "import", "wrap", "--public-key", wrapping, "--algorithm", algorithm, "--raw")
			if got.status != want || (n > 1 && strings.Contains(got.stderr, material)) {
				t.Errorf("%s, %d bytes: %+v", algorithm, n, got)
			}
			if want != 0 {
				continue
			}
			if opened, err := rsa.DecryptOAEP(of.hash(), nil, private, []byte(got.stdout), nil); err != nil || string(opened) != material {
				t.Errorf("%s, %d bytes: opened as %d, %v", algorithm, n, len(opened), err)
			}
		}
	}
}

// TestImportOfWhatWasWrappedHere takes material into a real token by the command line
// alone.
func TestImportOfWhatWasWrappedHere(t *testing.T) {
	softHSM(t)
	s := startDev(t, t.TempDir())
	defer s.stop()
	dir := t.TempDir()
	public, token, wrapped := filepath.Join(dir, "wrap.der"), filepath.Join(dir, "token"), filepath.Join(dir, "wrapped")
	key := strings.TrimSpace(s.must(t, "", "key", "create", "--quiet", "--origin", "EXTERNAL"))
	s.must(t, "", "key", "import", "parameters", key, "--algorithm", "RSAES_OAEP_SHA_256", "--spec", "RSA_2048", "--public-key", public, "--token", token)
	s.must(t, string(bytes.Repeat([]byte{7}, 32)), "key", "import", "wrap", "--public-key", public, "--algorithm", "RSAES_OAEP_SHA_256", "-o", wrapped)
	s.must(t, "", "key", "import", "material", key, "--token", token, wrapped)
	if got := s.must(t, s.must(t, "hello", "encrypt", "--key", key), "decrypt"); got != "hello" {
		t.Errorf("decrypted %q", got)
	}
}
