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
			if got := strings.TrimSuffix(mustRun(t, example(t, t.TempDir(), file)), "\n"); got != "attack at dawn" {
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
	rand.Read(content)
	write(t, dir, "plain", string(content))
	for _, pair := range []struct{ seal, open string }{
		{"python/seal.py", "js/open.mjs"},
		{"js/seal.mjs", "python/open.py"},
	} {
		t.Run(pair.seal+" "+pair.open, func(t *testing.T) {
			sealed, opened := filepath.Join(t.TempDir(), "sealed"), filepath.Join(t.TempDir(), "opened")
			mustRun(t, example(t, t.TempDir(), pair.seal, key, plain, sealed))
			mustRun(t, example(t, t.TempDir(), pair.open, key, sealed, opened))
			if got := read(t, opened); !bytes.Equal([]byte(got), content) {
				t.Errorf("%d bytes were sealed, and %d others opened", len(content), len(got))
			}
			out, err := example(t, t.TempDir(), pair.open, other, sealed, opened).CombinedOutput()
			if err == nil || !regexp.MustCompile(`(?i)data ?key`).Match(out) {
				t.Errorf("with another key it gives %v, %s; want no data key", err, out)
			}
		})
	}
}

// boto3 calls each operation that it knows, and finds only what its model has.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	cluster := filepath.Join(dataDir, "clusters", "cluster-strongroomdev")
	if got := mustRun(t, example(t, t.TempDir(), "python/every_operation.py", cluster)); got != "52 operations\n" {
		t.Errorf("it prints %q", got)
	}
}

func TestSOPS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got, want := mustRun(t, example(t, dir, "sh/sops.sh")), "database:\n    user: app\n    password: battery staple\n"; got != want {
		t.Errorf("it prints %q, want %q", got, want)
	}
	if file := read(t, filepath.Join(dir, "secrets.yaml")); !strings.Contains(file, "ENC[AES256_GCM,") || strings.Contains(file, "staple") {
		t.Errorf("the file is not encrypted:\n%s", file)
	}
}
