package clients

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// endpoint is where the server that all tests use answers AWS clients, as a URL;
// dataDir is its data directory, and grpcAddress where it is asked for events.
var endpoint, dataDir, grpcAddress string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "strongroom-clients-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	server, err := serve(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "the server did not end well: %v\n%s", err, server.Stderr)
		return 1
	}
	return code
}

// serve builds the program and starts a development server.
func serve(dir string) (*harness.Server, error) {
	binary := filepath.Join(dir, "strongroom")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/strongroom")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building strongroom: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dataDir = filepath.Join(dir, "dev")
	server, err := harness.StartDev(ctx, binary, dataDir, "--aws-listen", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	grpcAddress = server.Address
	endpoint = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(server.Stdout.String())
	if endpoint == "" {
		server.Kill()
		return nil, errors.New("the development server does not say where AWS clients find it")
	}
	return server, nil
}
