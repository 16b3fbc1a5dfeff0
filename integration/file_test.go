package integration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// maxRSS is the most memory, in bytes, that sealing and opening may take,
// whatever the file's size.
const maxRSS = 100 << 20

// A large file is sealed and opened byte for byte, in constant memory.
func TestLargeFileRoundTrip(t *testing.T) {
	t.Parallel()
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	site := newSite(t, harness.Options{})
	server := start(t, site)
	key := newKey(t, dial(t, site, server, harness.Admin))
	env := clientEnv(site, server, harness.User)
	dir := t.TempDir()
	original, sealed, opened := filepath.Join(dir, "original"), filepath.Join(dir, "original.sealed"), filepath.Join(dir, "opened")
	want := writeRandomFile(t, original, size)

	runInMemory(t, env, "file", "seal", "--key", key, "--context", "purpose=archive", original)
	if err := os.Remove(original); err != nil { // room for the copy
		t.Fatal(err)
	}
	runInMemory(t, env, "file", "open", "--context", "purpose=archive", "--output", opened, sealed)
	if got := hashFile(t, opened); got != want {
		t.Error("the opened file is not the one that was sealed")
	}
}

// writeRandomFile writes size pseudo-random bytes and returns their hash.
func writeRandomFile(t *testing.T, path string, size int64) [sha256.Size]byte {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // checked below
	hash := sha256.New()
	source := io.LimitReader(rand.NewChaCha8([32]byte{}), size)
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, io.TeeReader(source, hash), make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func hashFile(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

// runInMemory runs the command line, which must succeed within maxRSS.
func runInMemory(t *testing.T, env []string, args ...string) {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	p, err := harness.Spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	peak, err := p.PeakMemory(ctx)
	if err != nil {
		t.Fatalf("strongroom %v: %v\n%s", args, err, p.Stderr)
	}
	t.Logf("strongroom %s %s: %d MiB of memory at most", args[0], args[1], peak>>20)
	if peak == 0 || peak > maxRSS {
		t.Errorf("strongroom %v took %d MiB of memory, want at most %d", args, peak>>20, maxRSS>>20)
	}
}

// A sealed file that was altered or cut anywhere, its wrapped key included, is
// refused with words, and leaves no output.
func TestDamagedFileIsRefused(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	key := newKey(t, dial(t, site, server, harness.Admin))
	env := clientEnv(site, server, harness.User)
	dir := t.TempDir()
	original := filepath.Join(dir, "original")
	writeRandomFile(t, original, 3<<20+17) // several segments of Tink's, and a part of one
	mustRun(t, env, "file", "seal", "--key", key, original)
	sealed, err := os.ReadFile(original + ".sealed")
	if err != nil {
		t.Fatal(err)
	}

	for _, i := range positions(sealed) {
		expectRefusedFile(t, env, fmt.Sprintf("bit flipped in byte %d of %d", i, len(sealed)), altered(sealed, i))
	}
	for _, n := range []int{0, 5, 10, 60, 300, 1 << 20, 3 << 20, len(sealed) - 1} {
		expectRefusedFile(t, env, fmt.Sprintf("cut to %d of %d bytes", n, len(sealed)), sealed[:n])
	}
	expectRefusedFile(t, env, "one byte more", append(bytes.Clone(sealed), 0))
}

// positions are bytes of every part of a sealed file: each of the header's
// fixed part, some of the wrapped key, and some of each segment.
func positions(sealed []byte) []int {
	var all []int
	for i := range 11 { // magic, version, length of the wrapped key
		all = append(all, i)
	}
	const wrapped = 11 + 1 + 16 + 16 + 12 + 32 + 16 // with a v1 blob of a 256-bit key
	for i := 11; i < wrapped+40; i += 9 {
		all = append(all, i)
	}
	for i := wrapped + 40; i < len(sealed); i += 700_001 {
		all = append(all, i)
	}
	return append(all, len(sealed)-1)
}

func expectRefusedFile(t *testing.T, env []string, what string, content []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.sealed"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, err := strongroom(t, env, "file", "open", filepath.Join(dir, "bad.sealed"))
	if err == nil {
		t.Errorf("%s: it was opened", what)
	}
	words := []string{"not a sealed file", "truncated or altered", "InvalidCiphertextException", "AccessDeniedException"}
	if !containsAny(stderr, words) {
		t.Errorf("%s: the error %q has none of %q", what, stderr, words)
	}
	if lines := strings.Count(stderr, "\n"); lines != 1 {
		t.Errorf("%s: the error has %d lines, want one: %q", what, lines, stderr)
	}
	expectOnly(t, what, dir, "bad.sealed")
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// expectOnly expects that a directory has one file.
func expectOnly(t *testing.T, what, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s: the refused file left %s", what, e.Name())
		}
	}
}
