package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// What the README says to type works, in order, in a fresh copy of the
// repository, and prints what the README says: the blocks marked sh are run in
// one shell, and a block marked text is a part of what the one before printed,
// but for its numbers.
func TestREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program again")
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := fences(string(readme))
	if len(blocks) < 3 {
		t.Fatalf("the README has %d blocks of code", len(blocks))
	}
	dir := copyRepository(t)
	var script strings.Builder
	for i, b := range blocks {
		switch {
		case b.kind == "sh" && strings.TrimSpace(b.text) == "make run":
			makeRun(t, dir)
		case b.kind == "sh":
			fmt.Fprintf(&script, "echo '%s'\n%s\n", separator(i), b.text)
		}
	}
	cmd := exec.CommandContext(within(t, 2*time.Minute), "bash", "-euo", "pipefail", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+clientTools(t)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the README's commands: %v\n%s", err, out)
	}
	expectOutput(t, blocks, string(out))
}

// clientTools is where `make clients` puts the AWS command line.
func clientTools(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../.tools/clients/bin")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "aws"))
	}
	if err != nil {
		t.Fatalf("%v: run make clients", err)
	}
	return dir
}

// fence is a block of code in a text.
type fence struct{ kind, text string }

// fences returns the blocks marked sh or text.
func fences(markdown string) []fence {
	var all []fence
	for _, m := range regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$").FindAllStringSubmatch(markdown, -1) {
		all = append(all, fence{m[1], m[2]})
	}
	return all
}

// separator stands before the output of a block.
func separator(block int) string { return fmt.Sprintf("--- block %d ---", block) }

// expectOutput looks for each text block in the output of the block before it.
func expectOutput(t *testing.T, blocks []fence, out string) {
	t.Helper()
	for i, b := range blocks {
		if b.kind != "text" || i == 0 {
			continue
		}
		_, got, _ := strings.Cut(out, separator(i-1)+"\n")
		got, _, _ = strings.Cut(got, "\n--- block ")
		if !strings.Contains(withoutNumbers(got), withoutNumbers(strings.TrimSpace(b.text))) {
			t.Errorf("the README says that\n%sprints\n%sbut it prints\n%s", blocks[i-1].text, b.text, got)
		}
	}
}

// withoutNumbers replaces what differs from run to run.
func withoutNumbers(s string) string {
	return regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*`).ReplaceAllString(s, "#")
}

// copyRepository copies what git would commit.
func copyRepository(t *testing.T) string {
	t.Helper()
	list := exec.Command("git", "ls-files", "-coz", "--exclude-standard")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Skipf("this is no git repository: %v", err)
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(dir, name), filepath.Join("..", name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return dir
}

func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// makeRun runs `make run` beside the test, on a free port, until the test ends.
func makeRun(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("make", "run")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ARGS=--listen 127.0.0.1:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches the whole group
	p, err := harness.Spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill(t, -p.PID(), syscall.SIGINT)
		<-p.Exited()
	})
	if _, err := p.Stdout.Await(within(t, 3*time.Minute), p.Exited(), "Strongroom serves on"); err != nil {
		t.Fatalf("make run: %v\n%s", err, p.Stderr)
	}
}
