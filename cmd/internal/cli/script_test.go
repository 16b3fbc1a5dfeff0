package cli_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/cmd/internal/cli"
	"github.com/strongroom-kms/strongroom/hsmpool/worker"
	"github.com/strongroom-kms/strongroom/internal/devpki"
)

// TestMain makes the test binary what the scripts and the servers in this
// package start: the command strongroom, and its HSM worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hsm-worker" {
		os.Exit(worker.Main(os.Args[2:]))
	}
	testscript.Main(leakChecked{m}, map[string]func(){
		"strongroom": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.Main(ctx, os.Args[1:], cli.Process{
				Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
			}))
		},
	})
}

// leakChecked fails a run that leaves goroutines behind.
type leakChecked struct{ m *testing.M }

// Run is part of testscript.TestingM.
func (l leakChecked) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// otherClient is a client of an authority that the fake server does not know.
func otherClient(t *testing.T) devpki.Pair {
	t.Helper()
	ca, err := devpki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Client("mallory", &url.URL{Scheme: "spiffe", Host: "test", Path: "/mallory"})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// scripts are those that TestScripts runs. Short runs, which are for the race detector,
// leave out the commands that make one request and print its answer.
func scripts(t *testing.T) []string {
	pattern := "testdata/*.txtar"
	if testing.Short() {
		pattern = "testdata/[bcft]*.txtar" // backup, checkconfig, connection, console, crypt, file, trails
	}
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no scripts match %s: %v", pattern, err)
	}
	return found
}

// TestScripts runs testdata/*.txtar against a fake server.
func TestScripts(t *testing.T) {
	variables := startFake(t)
	other := otherClient(t)
	testscript.Run(t, testscript.Params{
		Files: scripts(t),
		Setup: func(e *testscript.Env) error {
			for name, value := range variables {
				e.Setenv(name, value)
			}
			e.Setenv("KEY", fakeKeyID)
			e.Setenv("OTHER_CERT", other.Cert)
			e.Setenv("OTHER_KEY", other.Key)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // commands are many and short
			return nil
		},
	})
}
