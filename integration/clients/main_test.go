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
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// binary is the program. endpoint is where the server that most tests use answers
// AWS clients, as a URL; dataDir is its data directory, and grpcAddress where it is
// asked for events.
var binary, endpoint, dataDir, grpcAddress string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
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
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the server's log:\n%s", server.Stderr)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "the server did not end well: %v\n%s", err, server.Stderr)
		return 1
	}
	return code
}

// prepare frees this process of the machine's own settings of AWS, which the
// development server heeds too.
func prepare() error {
	if _, err := os.Stat("../../.tools/clients/installed"); err != nil {
		return fmt.Errorf("the clients are missing: run make clients: %w", err)
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	return errors.Join(
		os.Setenv("AWS_CONFIG_FILE", os.DevNull),
		os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull),
		os.Setenv("AWS_EC2_METADATA_DISABLED", "true"))
}

// serve builds the program and starts a development server.
func serve(dir string) (*harness.Server, error) {
	binary = filepath.Join(dir, "strongroom")
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
	endpoint = awsEndpoint(server)
	if endpoint == "" {
		server.Kill()
		return nil, errors.New("the development server does not say where AWS clients find it")
	}
	return server, nil
}

// awsEndpoint is where a development server says that it answers AWS clients.
func awsEndpoint(server *harness.Server) string {
	return regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(server.Stdout.String())
}
