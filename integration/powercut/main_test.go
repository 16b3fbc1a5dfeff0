package powercut

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if path := os.Getenv(scriptEnv); path != "" {
		s, err := readScript(path)
		if err == nil {
			err = s.run(context.Background())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "strongroom-powercut-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	binary = filepath.Join(dir, "strongroom")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/strongroom")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building strongroom: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
