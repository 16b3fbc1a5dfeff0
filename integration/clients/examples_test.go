package clients

import (
	"bytes"
	"crypto/rand"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestRoundTrips(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	key, other := newKey(t), newKey(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	content := make([]byte, 300_000)
	rand.Read(content) //nolint:errcheck // it does not fail
	write(t, dir, "plain", string(content))
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
			refused(t, pair.open, other, sealed)
		})
	}
}

// refused expects that an example does not open a file with another key.
func refused(t *testing.T, file, key, sealed string) {
	t.Helper()
	dir, interpreter := t.TempDir(), map[string]string{".py": "python", ".mjs": "node"}[filepath.Ext(file)]
	copyExample(t, dir, file)
	out, err := command(t, dir, interpreter, filepath.Base(file), key, sealed, "opened").CombinedOutput()
	if err == nil || !regexp.MustCompile(`(?i)data ?key`).Match(out) {
		t.Errorf("with another key %s gives %v, %s; want no data key", file, err, out)
	}
}

// boto3 calls each operation that it knows, and finds only what its model has.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	cluster := filepath.Join(dataDir, "clusters", "cluster-strongroomdev")
	if got := example(t, "python/every_operation.py", cluster); got != "52 operations\n" {
		t.Errorf("it prints %q", got)
	}
}

func TestSOPS(t *testing.T) {
	t.Parallel()
	if got, want := example(t, "sh/sops.sh"), "database:\n    user: app\n    password: battery staple\n"; got != want {
		t.Errorf("it prints %q, want %q", got, want)
	}
}
