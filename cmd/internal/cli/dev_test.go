package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/strongroom-kms/strongroom/cmd/internal/cli"
)

// devServer is `strongroom dev` in this process, with its real worker process.
type devServer struct {
	output    string            // up to and with its last line
	started   time.Duration     // until then
	variables map[string]string // what its env file exports
	stop      func() result
}

// startDev starts a server in the directory and waits until it says that it
// serves.
func startDev(t *testing.T, dir string, args ...string) devServer {
	t.Helper()
	begin := time.Now()
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		args := append([]string{"dev", "--data-dir", dir, "--listen", "127.0.0.1:0"}, args...)
		status <- cli.Main(ctx, args, process(nil, nil, w, &stderr))
		_ = w.Close() // it returns nil always
	}()
	var s devServer
	s.stop = func() result {
		interrupt()
		_, _ = io.Copy(io.Discard, r) // so that the server is never blocked on us
		return result{status: <-status, stderr: stderr.String()}
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		s.output += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			s.started = time.Since(begin)
			s.variables = exported(t, filepath.Join(dir, "env"))
			return s
		}
	}
	t.Fatalf("dev ended: %+v", s.stop())
	return s
}

func exported(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^export (\w+)='(.*)'$`).FindAllStringSubmatch(string(text), -1) {
		variables[m[1]] = m[2]
	}
	return variables
}

// must runs a command against the server and returns what it prints.
func (s devServer) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	got := run(t.Context(), s.variables, stdin, args...)
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("%v: %+v", args, got)
	}
	return got.stdout
}

// softHSM returns the path of the library, or skips the test.
func softHSM(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Skip("SoftHSM is not installed")
	return ""
}

func TestDevServesAndKeepsItsKeys(t *testing.T) {
	softHSM(t)
	dir := t.TempDir()
	first := startDev(t, dir)
	for _, want := range []string{"NOT FOR PRODUCTION", first.variables["STRONGROOM_ADDRESS"], filepath.Join(dir, "env")} {
		if !strings.Contains(first.output, want) {
			t.Errorf("the output lacks %q:\n%s", want, first.output)
		}
	}
	key := strings.TrimSpace(first.must(t, "", "key", "create", "--quiet"))
	sealed := first.must(t, "hello", "encrypt", "--key", key, "--context", "a=b")
	if got := first.stop(); got.status != 0 || got.stderr != "" {
		t.Fatalf("stopping: %+v", got)
	}
	// As a version left it that knew no clusters.
	if err := os.RemoveAll(filepath.Join(dir, "clusters")); err != nil {
		t.Fatal(err)
	}

	second := startDev(t, dir)
	if got := second.must(t, sealed, "decrypt", "--context", "a=b"); got != "hello" {
		t.Errorf("decrypted %q after a restart", got)
	}
	if got := second.must(t, "", "key", "list"); !strings.Contains(got, key) {
		t.Errorf("the key is not in the list:\n%s", got)
	}
	for file, mode := range map[string]os.FileMode{"pin": 0o600, "ca.pem": 0o644, "token": 0o644} {
		info, err := os.Stat(filepath.Join(second.variables["STRONGROOM_DEV_CLUSTER"], file))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("the cluster's %s: %v, %v", file, info, err)
		}
	}
	if got := second.stop(); got.status != 0 {
		t.Fatalf("stopping: %+v", got)
	}
}

// TestDevServesInUnderTwoSeconds allows for a busy machine: one of three first
// starts has to.
func TestDevServesInUnderTwoSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time, which the race detector takes most of")
	}
	softHSM(t)
	var took []time.Duration
	for range 3 {
		s := startDev(t, t.TempDir())
		s.stop()
		if s.started < 2*time.Second {
			return
		}
		took = append(took, s.started)
	}
	t.Errorf("first starts took %v", took)
}

func TestTheTourShowsBothTrails(t *testing.T) {
	softHSM(t)
	s := startDev(t, t.TempDir(), "--tour")
	defer s.stop()
	for _, want := range []string{
		`1\. CreateKey`, `eventName: CreateKey +\| `, `\| Opcode : CN_GENERATE_KEY \(0x17\)`, `\| Response : 0:HSM Return: SUCCESS`,
		`2\. Encrypt`, `encryptionContext: {"purpose":"tour"}`, `returnCode: CKR_OK`,
		`3\. Decrypt`, `\| \(none: `,
	} {
		if !regexp.MustCompile(want).MatchString(s.output) {
			t.Errorf("the tour does not show %s", want)
		}
	}
	for line := range strings.Lines(s.output) {
		if utf8.RuneCountInString(line) > 121 {
			t.Errorf("longer than 120 columns: %s", line)
		}
	}
	if t.Failed() {
		t.Log(s.output)
	}
}

func TestFilesAreSealedUnderTheHSM(t *testing.T) {
	softHSM(t)
	s := startDev(t, t.TempDir())
	defer s.stop()
	key := strings.TrimSpace(s.must(t, "", "key", "create", "--quiet"))
	dir := t.TempDir()
	plain, sealed, opened := filepath.Join(dir, "f"), filepath.Join(dir, "f.sealed"), filepath.Join(dir, "opened")
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<17+1) // a little over 2 MiB
	if err := os.WriteFile(plain, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s.must(t, "", "file", "seal", "--key", key, plain)
	s.must(t, "", "file", "open", sealed, "-o", opened)
	if got, err := os.ReadFile(opened); err != nil || !bytes.Equal(got, content) {
		t.Errorf("opened %d bytes, err %v", len(got), err)
	}
	whole, err := os.ReadFile(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for name, offset := range map[string]int{"magic": 0, "wrapped key": 60, "salt": 200, "last tag": len(whole) - 1} {
		altered := slices.Clone(whole)
		altered[offset] ^= 1
		path := filepath.Join(dir, "altered.sealed")
		if err := os.WriteFile(path, altered, 0o600); err != nil {
			t.Fatal(err)
		}
		got := run(t.Context(), s.variables, "", "file", "open", path)
		if _, err := os.Stat(filepath.Join(dir, "altered")); got.status != 1 || err == nil {
			t.Errorf("%s altered: %+v, output exists: %v", name, got, err == nil)
		}
	}
}

func TestAnEphemeralServerKeepsNothing(t *testing.T) {
	for _, flag := range []string{"--data-dir=" + t.TempDir(), "--tour", "--accept-new-journal"} {
		got := run(t.Context(), nil, "", "dev", "--ephemeral", flag)
		if got.status != 2 || !strings.Contains(got.stderr, "--ephemeral keeps nothing") {
			t.Errorf("%s: %+v", flag, got)
		}
	}
}

func TestASecondServerOfADirectoryIsRefused(t *testing.T) {
	softHSM(t)
	dir := t.TempDir()
	s := startDev(t, dir)
	defer s.stop()
	got := run(t.Context(), nil, "", "dev", "--data-dir", dir, "--listen", "127.0.0.1:0")
	if got.status != 1 || !strings.Contains(got.stderr, "audit journal") || !strings.Contains(got.stderr, "in use") {
		t.Errorf("got %+v", got)
	}
	if now := exported(t, filepath.Join(dir, "env")); !maps.Equal(now, s.variables) {
		t.Errorf("the running server's env file became %v", now)
	}
	got = run(t.Context(), nil, "", "dev", "--data-dir", t.TempDir(), "--listen", s.variables["STRONGROOM_ADDRESS"])
	if got.status != 1 || !strings.Contains(got.stderr, "listening: ") {
		t.Errorf("same address: %+v", got)
	}
}

func TestAuditVerify(t *testing.T) {
	softHSM(t)
	dir := t.TempDir()
	s := startDev(t, dir)
	s.must(t, "", "random")
	beside := run(t.Context(), nil, "", "audit", "verify", dir)
	s.stop()
	after := run(t.Context(), nil, "", "audit", "verify", dir)
	if beside.status != 0 || !strings.Contains(beside.stdout, "1 API event,") {
		t.Errorf("beside the server: %+v", beside)
	}
	if after.status != 0 || !strings.Contains(after.stdout, "2 API events,") { // the key of digests was made
		t.Errorf("after it: %+v", after)
	}
	head := run(t.Context(), nil, "", "audit", "head", dir)
	if m := regexp.MustCompile(`^([0-9a-f]{32}):(\d+):([0-9a-f]{64})\n$`).FindStringSubmatch(head.stdout); m == nil ||
		!strings.Contains(after.stdout, m[1]) || !strings.Contains(after.stdout, "number "+m[2]) || !strings.Contains(after.stdout, m[3]) {
		t.Errorf("the head is %+v, and the journal %s", head, after.stdout)
	}
	flipABit(t, filepath.Join(dir, "journal"))
	got := run(t.Context(), nil, "", "audit", "verify", dir)
	if got.status != 1 || !regexp.MustCompile(`^strongroom: audit verify: first bad record: number \d+, in 0+1\.journal at offset \d+: \S`).MatchString(got.stderr) {
		t.Errorf("altered: %+v", got)
	}
	if got := run(t.Context(), nil, "", "audit", "verify", t.TempDir()); got.status != 1 {
		t.Errorf("no journal: %+v", got)
	}
}

// flipABit alters the first segment in its first record about random bytes.
func flipABit(t *testing.T, journal string) {
	t.Helper()
	files, err := os.ReadDir(journal)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := filepath.Join(journal, f.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(b, []byte("GenerateRandom")); i >= 0 {
			b[i] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("the event is not in the journal")
}
