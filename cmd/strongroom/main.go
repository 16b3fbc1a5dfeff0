// Command strongroom is the whole of Strongroom in one binary: the server, its
// HSM worker processes and the command-line client. `strongroom --help` says
// what it can do.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/strongroom-kms/strongroom/cmd/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Process{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
	}))
}
