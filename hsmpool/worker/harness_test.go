//go:build cgo

package worker

import (
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	"github.com/strongroom-kms/strongroom/hsmpool/wire"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// testToken is a SoftHSM token opened in the test's own process.
type testToken struct {
	*server
	dir string
}

// discard is a server that listens to nothing.
type discard struct{ io.Writer }

func (discard) Read([]byte) (int, error) { return 0, io.EOF }
func (discard) Close() error             { return nil }

// newTestToken initialises and opens a token. Only one can be open in a process.
func newTestToken(tb testing.TB) *testToken {
	tb.Helper()
	if _, err := os.Stat(softHSM); err != nil {
		tb.Skipf("SoftHSM is not installed: %v", err)
	}
	dir := tb.TempDir()
	write(tb, filepath.Join(dir, "softhsm2.conf"), "directories.tokendir = "+dir+"\n")
	pin := write(tb, filepath.Join(dir, "pin"), "1234-pin")
	tb.Setenv("SOFTHSM2_CONF", filepath.Join(dir, "softhsm2.conf"))
	calls := &announcer{wire.New(discard{io.Discard})}
	source := &workerv1.PinSource{File: pin}
	if err := initToken(calls, &workerv1.InitTokenRequest{Library: softHSM, Label: "test", SoPin: source, Pin: source}); err != nil {
		tb.Fatalf("initToken: %v", err)
	}
	t := &testToken{server: &server{conn: calls.conn, log: hclog.NewNullLogger(), counts: newCounts()}, dir: dir}
	request := &workerv1.StartRequest{Library: softHSM, Token: &workerv1.TokenSelector{Label: "test"}, Pin: source, Profile: "softhsm"}
	if err := t.start(calls, request); err != nil {
		tb.Fatalf("start: %v", err)
	}
	if _, _, err := t.enter(nil, 1); err != nil {
		tb.Fatalf("enter: %v", err)
	}
	tb.Cleanup(func() {
		if err := t.token.module.Close(); err != nil {
			tb.Errorf("closing the module: %v", err)
		}
	})
	return t
}

func write(tb testing.TB, path, content string) string {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func (t *testToken) executor(tb testing.TB) *executor {
	tb.Helper()
	random, err := t.token.module.NewRandomReader()
	if err != nil {
		tb.Fatal(err)
	}
	e, err := newExecutor(t.token, t.objects, random)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// generate makes a key with a new id.
func (t *testToken) generate(tb testing.TB) (objectID, *object) {
	tb.Helper()
	var id objectID
	_, _ = rand.Read(id[:]) // never fails
	if _, _, err := t.manager.generate(aesRequest(id), "request"); err != nil {
		tb.Fatalf("generate: %v", err)
	}
	return id, t.objects.known(id)
}

func aesRequest(id objectID) *workerv1.GenerateRequest {
	return &workerv1.GenerateRequest{ObjectId: id[:], Label: "label", KeyType: uint32(kind.AES256), Use: uint32(kind.Encrypt)}
}

// designOf is the key that a request of type and use stands for.
func designOf(tb testing.TB, id objectID, t kind.KeyType, use kind.Use, profile profile) design {
	tb.Helper()
	s, err := specOf(t)
	if err != nil {
		tb.Fatal(err)
	}
	return design{spec: s, id: id, label: "label", use: use, profile: profile}
}
