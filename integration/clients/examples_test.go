package clients

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoundTrips(t *testing.T) {
	for _, file := range []string{"sh/awscli.sh", "python/roundtrip.py", "js/roundtrip.mjs"} {
		t.Run(file, func(t *testing.T) {
			if got := strings.TrimSuffix(example(t, file), "\n"); got != "attack at dawn" {
				t.Errorf("it prints %q", got)
			}
		})
	}
}

// What the AWS Encryption SDK has encrypted in one language it decrypts in the
// other.
func TestEncryptionSDK(t *testing.T) {
	key := newKey(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	content := make([]byte, 300_000)
	_, _ = rand.Read(content) // it does not fail
	if err := os.WriteFile(plain, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pair := range []struct{ seal, open string }{
		{"python/seal.py", "js/open.mjs"},
		{"js/seal.mjs", "python/open.py"},
	} {
		t.Run(pair.seal+" "+pair.open, func(t *testing.T) {
			sealed, opened := filepath.Join(t.TempDir(), "sealed"), filepath.Join(t.TempDir(), "opened")
			example(t, pair.seal, key, plain, sealed)
			example(t, pair.open, key, sealed, opened)
			if got := read(t, opened); !bytes.Equal([]byte(got), content) {
				t.Errorf("%d bytes were sealed, and %d others opened", len(content), len(got))
			}
			if strings.Contains(read(t, sealed), string(content[:64])) {
				t.Error("the sealed file has the plaintext")
			}
		})
	}
}

func TestSOPS(t *testing.T) {
	if got, want := example(t, "sh/sops.sh"), "database:\n    user: app\n    password: battery staple\n"; got != want {
		t.Errorf("it prints %q, want %q", got, want)
	}
}
