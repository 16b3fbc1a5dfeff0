package console

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
)

// binary is the program under test and chromium the browser: one for all tests.
var (
	binary   string
	chromium *browser.Browser
)

// updateScreenshots has the tests write the pictures of the documents.
var updateScreenshots = flag.Bool("update-screenshots", false, "write the pictures in docs/images")

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "strongroom-console-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if chromium, err = browser.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer chromium.Close()
	// The tests wait most of their time, for what comes every few seconds.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(dir string) error {
	binary = filepath.Join(dir, "strongroom")
	command := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/strongroom")
	command.Dir = "../.."
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building strongroom: %w\n%s", err, out)
	}
	return nil
}

// within returns a context that ends with the test or after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("more than %v have passed", d))
	t.Cleanup(cancel)
	return ctx
}
