package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// ephemeral is what `strongroom dev --ephemeral` says about itself.
type ephemeral struct {
	Address    string            `json:"address"`
	CACert     string            `json:"ca_cert"`
	DataDir    string            `json:"data_dir"`
	PID        int               `json:"pid"`
	Env        map[string]string `json:"env"`
	Principals map[string]struct {
		ARN        string `json:"arn"`
		ClientCert string `json:"client_cert"`
		ClientKey  string `json:"client_key"`
	} `json:"principals"`
}

// startEphemeral starts the server with a temporary directory and a standard
// input of its own and waits for its line.
func startEphemeral(t *testing.T, tmp string, stdin *os.File) (*harness.Process, ephemeral) {
	t.Helper()
	cmd := exec.Command(binary, "dev", "--ephemeral")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.Stdin = stdin
	p, err := harness.Spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	line, err := p.Stdout.Await(within(t, 30*time.Second), p.Exited(), "address")
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Stderr)
	}
	return p, parseFacts(t, line)
}

func parseFacts(t *testing.T, line string) ephemeral {
	t.Helper()
	var facts ephemeral
	if err := json.Unmarshal([]byte(line), &facts); err != nil {
		t.Fatalf("the server does not print JSON: %v: %s", err, line)
	}
	return facts
}

// pipe returns a pipe that the test's end closes.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}

// left lists what a directory has.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestEphemeralServesEveryPrincipal(t *testing.T) {
	t.Parallel()
	r, _ := pipe(t)
	_, facts := startEphemeral(t, t.TempDir(), r)
	for name, policyAllowsCreate := range map[string]bool{"admin": true, "app": false, "auditor": false} {
		p := facts.Principals[name]
		client, err := harness.Dial(facts.Address, facts.CACert, &harness.Identity{Cert: p.ClientCert, Key: p.ClientKey})
		client = closing(t, client, err)
		if _, err := client.NewKey(within(t, 10*time.Second)); (err == nil) != policyAllowsCreate {
			t.Errorf("%s creates a key: %v, want allowed: %t", p.ARN, err, policyAllowsCreate)
		}
	}
	var env []string
	for name, value := range facts.Env {
		env = append(env, name+"="+value)
	}
	if keys := mustRun(t, env, "key", "list"); !strings.Contains(keys, "key/") {
		t.Errorf("the command line lists no key:\n%s", keys)
	}
}

func TestEphemeralLeavesNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(t *testing.T, p *harness.Process, stdin *os.File)
	}{
		{"on SIGTERM", func(t *testing.T, p *harness.Process, _ *os.File) { signal(t, p, syscall.SIGTERM) }},
		{"on SIGINT", func(t *testing.T, p *harness.Process, _ *os.File) { signal(t, p, syscall.SIGINT) }},
		{"on SIGHUP", func(t *testing.T, p *harness.Process, _ *os.File) { signal(t, p, syscall.SIGHUP) }},
		{"when its standard input ends", func(t *testing.T, _ *harness.Process, stdin *os.File) { closeAll(t, stdin) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tmp := t.TempDir()
			r, w := pipe(t)
			p, facts := startEphemeral(t, tmp, r)
			if got := left(t, tmp); !slices.Equal(got, []string{filepath.Base(facts.DataDir)}) {
				t.Errorf("while it runs the temporary directory has %v", got)
			}
			worker, err := p.Worker(within(t, 10*time.Second), 0)
			if err != nil {
				t.Fatal(err)
			}
			test.end(t, p, w)
			if err := p.Wait(within(t, 30*time.Second)); err != nil {
				t.Errorf("it ended with %v\n%s", err, p.Stderr)
			}
			if got := left(t, tmp); len(got) > 0 {
				t.Errorf("it left %v", got)
			}
			if err := syscall.Kill(worker, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("its worker: %v", err)
			}
		})
	}
}

func signal(t *testing.T, p *harness.Process, s syscall.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Files, terminals and an open pipe with something in it do not end it: only
// the end of a pipe does.
func TestEphemeralIsNotEndedByAStandardInputWithoutAnEnd(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	full, w := pipe(t)
	if _, err := w.WriteString("anything\n"); err != nil {
		t.Fatal(err)
	}
	for name, stdin := range map[string]*os.File{"/dev/null": null, "a pipe with a line in it": full} {
		p, facts := startEphemeral(t, t.TempDir(), stdin)
		client, err := harness.Dial(facts.Address, facts.CACert, &harness.Identity{
			Cert: facts.Principals["admin"].ClientCert, Key: facts.Principals["admin"].ClientKey,
		})
		newKey(t, closing(t, client, err))
		select {
		case <-p.Exited():
			t.Errorf("%s ends it", name)
		default:
		}
	}
}

func closeAll(t *testing.T, files ...*os.File) {
	t.Helper()
	for _, f := range files {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A log that nobody reads any more does not keep it from cleaning up.
func TestEphemeralOutlivesTheReaderOfItsLog(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	stdin, endOfStdin := pipe(t)
	stdout, w := pipe(t)
	readerOfLog, log := pipe(t)
	cmd := exec.Command(binary, "dev", "--ephemeral", "--log-level", "trace")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, w, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	closeAll(t, w, log, readerOfLog)
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	closeAll(t, endOfStdin)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if got := left(t, tmp); len(got) > 0 {
		t.Errorf("it left %v", got)
	}
}

// The parent is a shell. The server's standard input has no end and its standard
// output is ours, so that only the parent's death can tell it.
func TestEphemeralEndsWithItsParent(t *testing.T) {
	t.Parallel()
	stdout, w := pipe(t)
	shell := exec.Command("sh", "-c", `"$0" dev --ephemeral </dev/null & wait`, binary)
	shell.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	shell.Stdout = w
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	closeAll(t, w) // so that a server that fails ends our reading
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	facts := parseFacts(t, line)
	server, err := unix.PidfdOpen(facts.PID, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(server) }()
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shell.Wait() // it was killed
	awaitEnd(t, server)
	if _, err := os.Stat(facts.DataDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory is still there: %v", err)
	}
}

// awaitEnd waits for the end of a process that is not our child.
func awaitEnd(t *testing.T, pidfd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	deadline := time.Now().Add(30 * time.Second)
	for {
		n, err := unix.Poll(fds, int(time.Until(deadline).Milliseconds()))
		switch {
		case err == nil && n == 1:
			return
		case err == nil:
			t.Fatal("the process has not ended within 30s")
		case !errors.Is(err, unix.EINTR):
			t.Fatal(err)
		}
	}
}

// docs/testing.md has a Python program that uses a server; it works.
func TestThePythonExample(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?ms)^```python\n(.*?)^```$").FindSubmatch(text)
	if example == nil {
		t.Fatal("docs/testing.md has no Python example")
	}
	tmp := t.TempDir()
	cmd := exec.CommandContext(within(t, time.Minute), python, "-c", string(example[1]))
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "OK") {
		t.Errorf("%v:\n%s", err, out)
	}
	if got := left(t, tmp); len(got) > 0 {
		t.Errorf("it left %v", got)
	}
}
