//go:build cgo

package worker

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// tokenFiles returns the paths of the token's own file and of its copy.
func (t *testToken) tokenFiles(tb testing.TB) (file, saved string) {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(t.dir, "*", tokenFile))
	if err != nil || len(found) != 1 {
		tb.Fatalf("the token has the files %q (%v)", found, err)
	}
	return found[0], filepath.Join(filepath.Dir(found[0]), tokenCopy)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestTokenCutByPowerLoss cuts SoftHSM's file of the token at every byte, as a power
// cut soon after a login does, and expects the copy in its place.
func TestTokenCutByPowerLoss(t *testing.T) {
	token := newTestToken(t)
	path, saved := token.tokenFiles(t)
	safeguard := func() {
		t.Helper()
		if err := safeguardTokens(token.dir, hclog.NewNullLogger()); err != nil {
			t.Fatal(err)
		}
	}
	safeguard()
	whole := read(t, path)
	if !sameToken(read(t, saved), whole) {
		t.Fatal("the copy differs from the token's file")
	}
	for n := range whole {
		if wholeToken(whole[:n]) == nil {
			t.Errorf("the first %d of %d bytes pass for a whole file", n, len(whole))
		}
	}
	for name, damaged := range map[string][]byte{"empty": {}, "zeros": make([]byte, len(whole)), "half": whole[:len(whole)/2]} {
		write(t, path, string(damaged))
		safeguard()
		if !sameToken(read(t, path), whole) {
			t.Errorf("%s: the token was not restored", name)
		}
	}
	token.generate(t)
}

// TestTokenThatChanged: the copy follows a new PIN, not a new generation number.
func TestTokenThatChanged(t *testing.T) {
	token := newTestToken(t)
	path, saved := token.tokenFiles(t)
	file := read(t, path)
	for _, test := range []struct {
		name   string
		at     int
		copied bool
	}{{"generation number", wordBytes - 1, false}, {"PIN", len(file) - 1, true}} {
		if err := safeguardTokens(token.dir, hclog.NewNullLogger()); err != nil {
			t.Fatal(err)
		}
		changed := read(t, path)
		changed[test.at]++
		write(t, path, string(changed))
		if err := safeguardTokens(token.dir, hclog.NewNullLogger()); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Equal(read(t, saved), changed); got != test.copied {
			t.Errorf("after a new %s the copy is the same: %v, want %v", test.name, got, test.copied)
		}
	}
}

// TestObjectWithoutLock takes an object's lock file away, as a power cut while a key is
// made does, and expects that the key can be destroyed.
func TestObjectWithoutLock(t *testing.T) {
	token := newTestToken(t)
	id, _ := token.generate(t)
	lock := strings.TrimSuffix(token.objectFiles(t)[0], ".object") + ".lock"
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := safeguardTokens(token.dir, hclog.NewNullLogger()); err != nil {
		t.Fatal(err)
	}
	if err := token.manager.destroy(&workerv1.DestroyRequest{ObjectId: id[:]}, "request"); err != nil {
		t.Errorf("destroying the key: %v", err)
	}
}
