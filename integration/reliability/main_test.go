package reliability

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// built is what all worlds are made of, built once.
var built struct {
	// binary is the program, with defences that can be switched off.
	binary string
	// faults is the library of faults, and softHSM the one that it passes calls on to.
	faults, softHSM string
}

// worlds is how many are played at the same time, unless the command line says so:
// scenarios wait more than they compute.
const worlds = "3"

func TestMain(m *testing.M) {
	err := flag.Set("test.parallel", worlds)
	flag.Parse()
	code := 1
	if err == nil {
		code, err = run(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "strongroom-reliability-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	built.binary = filepath.Join(dir, "strongroom")
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", "undefended", "-o", built.binary, "./cmd/strongroom")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building strongroom: %w\n%s", err, out)
	}
	if built.softHSM, err = harness.FindSoftHSM(); err != nil {
		return 0, err
	}
	if built.faults, err = faultp11.Compile(context.Background(), dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}
