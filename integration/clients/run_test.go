package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// documented is the endpoint that the examples name.
const documented = "http://127.0.0.1:7401"

// toolsDir is where `make clients` puts the clients.
func toolsDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../.tools")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// pointHere returns what sh/env.sh says to set, as "NAME=value", with the
// endpoint of the server under test.
func pointHere(t *testing.T) []string {
	t.Helper()
	script := strings.ReplaceAll(read(t, "sh/env.sh"), documented, endpoint)
	var env []string
	for _, line := range regexp.MustCompile(`(?m)^export (.*)$`).FindAllStringSubmatch(script, -1) {
		env = append(env, line[1])
	}
	if len(env) != 5 {
		t.Fatalf("sh/env.sh sets %q", env)
	}
	return env
}

// environment is that of a client's process: nothing of the machine's own
// settings of AWS, no instance metadata, and no second attempt, which would hide
// that the first has failed.
func environment(t *testing.T) []string {
	t.Helper()
	tools := toolsDir(t)
	path := strings.Join([]string{filepath.Dir(binary), filepath.Join(tools, "clients", "bin"), tools, "/usr/local/bin", "/usr/bin", "/bin"}, ":")
	return append(pointHere(t), "PATH="+path, "HOME="+t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1")
}

// inProcess points the clients of this process here.
func inProcess(t *testing.T) {
	t.Helper()
	for _, line := range pointHere(t) {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

// command is a client's, in dir; it ends with the test, or after three minutes.
func command(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, fmt.Errorf("%s takes more than three minutes", name))
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/usr/bin/env", append([]string{name}, args...)...) // which looks in the new PATH
	cmd.Dir, cmd.Env = dir, environment(t)
	return cmd
}

// example is the command that runs a copy, in dir, of a file of sh/, python/ or js/.
func example(t *testing.T, dir, file string, args ...string) *exec.Cmd {
	t.Helper()
	copyExample(t, dir, file)
	run := map[string][]string{".sh": {"bash", "-euo", "pipefail"}, ".py": {"python"}, ".mjs": {"node"}}[filepath.Ext(file)]
	if run == nil {
		t.Fatalf("nothing runs %s", file)
	}
	return command(t, dir, run[0], slices.Concat(run[1:], []string{filepath.Base(file)}, args)...)
}

// mustRun returns what a command prints, which has to succeed.
func mustRun(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, &stderr)
	}
	return string(out)
}

// copyExample puts an example into dir; for JavaScript also its packages, which
// Node looks for beside it.
func copyExample(t *testing.T, dir, file string) {
	t.Helper()
	write(t, dir, filepath.Base(file), read(t, file))
	if filepath.Ext(file) != ".mjs" {
		return
	}
	if err := os.Symlink(filepath.Join(toolsDir(t), "clients", "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
