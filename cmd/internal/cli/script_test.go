package cli_test

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/strongroom-kms/strongroom/cmd/internal/cli"
	"github.com/strongroom-kms/strongroom/hsmpool/worker"
)

// TestMain makes the test binary what the scripts and the servers in this
// package start: the command strongroom, and its HSM worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hsm-worker" {
		os.Exit(worker.Main(os.Args[2:]))
	}
	testscript.Main(m, map[string]func(){
		"strongroom": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.Main(ctx, os.Args[1:], cli.Process{
				Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
			}))
		},
	})
}

// TestScripts runs testdata/*.txtar against a fake server.
func TestScripts(t *testing.T) {
	variables := startFake(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			for name, value := range variables {
				e.Setenv(name, value)
			}
			e.Setenv("KEY", fakeKeyID)
			return nil
		},
	})
}
