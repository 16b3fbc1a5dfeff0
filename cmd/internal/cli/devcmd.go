package cli

import (
	"context"

	"github.com/strongroom-kms/strongroom/cmd/internal/dev"
	"github.com/strongroom-kms/strongroom/internal/config"
)

type devCmd struct {
	DataDir string `default:"./strongroom-dev" placeholder:"DIR" help:"Where everything is kept (${default})."`
	Listen  string `default:"127.0.0.1:7400" placeholder:"HOST:PORT" help:"A loopback address (${default})."`
	Library string `placeholder:"FILE" help:"The SoftHSM library, if it is not in one of the usual places."`
	Tour    bool   `help:"Make a first round trip and show what it left in both audit trails."`
	acceptNewJournal
	LogLevel string `default:"warn" enum:"trace,debug,info,warn,error" help:"How much to log: ${enum} (${default})."`
}

// Help is part of kong's HelpProvider.
func (*devCmd) Help() string {
	return `Not for production: the PIN and all private keys lie beside the token. The first
start makes a SoftHSM token, a CA and certificates; later starts use them again, and
so the same keys. DIR/env is a file for your shell to source; after that the other
commands need no connection flags.

Example:

    strongroom dev --tour &
    . ./strongroom-dev/env
    strongroom key create`
}

// Run serves until ctx ends.
func (c *devCmd) Run(ctx context.Context, p *Process) error {
	return dev.Run(ctx, dev.Options{
		DataDir:          c.DataDir,
		Listen:           c.Listen,
		Library:          c.Library,
		Tour:             c.Tour,
		AcceptNewJournal: c.AcceptNewJournal,
		Output:           p.Stdout,
		Logger:           newLogger(p.Stderr, config.Log{Level: c.LogLevel}),
	})
}
