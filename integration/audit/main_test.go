package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// program is the program under test, built once for all tests.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "strongroom-audit-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	program = filepath.Join(dir, "strongroom")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./cmd/strongroom")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building strongroom: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// within returns a context that ends with the test or after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("more than %v have passed", d))
	t.Cleanup(cancel)
	return ctx
}

// evidence is what an auditor has got. All but the directory may be empty.
type evidence struct {
	dataDir string
	keys    string // file of public keys, from elsewhere
	head    string // of the journal, kept from before
	signed  string // what digests had reached, kept from before
}

// verifiers are both, by name: each returns what it printed, and whether it found all good.
var verifiers = map[string]func(t *testing.T, e evidence) (string, bool){
	"strongroom": func(t *testing.T, e evidence) (string, bool) {
		t.Helper()
		return execute(t, program, append([]string{"audit", "verify", e.dataDir}, e.options()...)...)
	},
	"verify.py": func(t *testing.T, e evidence) (string, bool) {
		t.Helper()
		args := []string{"-B", "verify.py", "--journal", filepath.Join(e.dataDir, "journal")}
		if tree := filepath.Join(e.dataDir, "trail"); exists(tree) {
			args = append(args, "--export", tree)
		}
		return execute(t, "python3", append(args, e.options()...)...)
	},
}

// options are those that both verifiers have.
func (e evidence) options() (args []string) {
	for _, o := range [][2]string{{"--public-key", e.keys}, {"--head", e.head}, {"--signed", e.signed}} {
		if o[1] != "" {
			args = append(args, o[0], o[1])
		}
	}
	return args
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// execute runs a program and returns all that it prints, and whether its exit status is 0.
// It may only be 0 or 1.
func execute(t *testing.T, name string, args ...string) (string, bool) {
	t.Helper()
	out, err := exec.CommandContext(within(t, time.Minute), name, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return string(out), false
	}
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out), true
}
