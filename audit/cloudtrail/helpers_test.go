package cloudtrail

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var at = time.Date(2026, 3, 2, 10, 15, 30, 0, time.UTC)

var names = Names{Prefix: "audit/kms", Account: "123456789012", Home: "us-east-1", Trail: "strong_room"}

const journalID = "000102030405060708090a0b0c0d0e0f"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// loadKey loads the key of testdata, which nothing but these tests uses. Checking
// its primes takes a while.
var loadKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(filepath.Join("testdata", "signing-key.pem"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	return x509.ParsePKCS1PrivateKey(block.Bytes)
})

func signingKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := loadKey()
	must(t, err)
	return key
}

func publicDER(key *rsa.PrivateKey) []byte { return x509.MarshalPKCS1PublicKey(&key.PublicKey) }

func sign(t testing.TB, key *rsa.PrivateKey, message []byte) string {
	t.Helper()
	sum := sha256.Sum256(message)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	must(t, err)
	return hex.EncodeToString(signature)
}

func gunzip(t testing.TB, file []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(file))
	must(t, err)
	content, err := io.ReadAll(r)
	must(t, err)
	return content
}
