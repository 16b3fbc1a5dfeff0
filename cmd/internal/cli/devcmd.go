package cli

import (
	"cmp"
	"context"
	"net"
	"strconv"

	"github.com/strongroom-kms/strongroom/cmd/internal/dev"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/daemon"
	"github.com/strongroom-kms/strongroom/internal/devserver"
)

type devCmd struct {
	DataDir   string `placeholder:"DIR" help:"Where everything is kept (./strongroom-dev)."`
	Listen    string `placeholder:"HOST:PORT" help:"A loopback address (127.0.0.1:7400; a free port if ephemeral)."`
	AWSListen string `name:"aws-listen" placeholder:"HOST:PORT" help:"A loopback address for AWS clients (the port after that of --listen)."`
	Metrics   string `name:"metrics-listen" placeholder:"HOST:PORT" help:"A loopback address for Prometheus (the port after that of --aws-listen; none if ephemeral)."`
	Account   string `placeholder:"NUMBER" help:"The account number of keys and principals, 12 digits (000000000000)."`
	Library   string `placeholder:"FILE" help:"The SoftHSM library, if it is not in one of the usual places."`
	Tour      bool   `help:"Make a first round trip and show what it left in both audit trails."`
	Ephemeral bool   `help:"Serve a program's tests: keep nothing, print one line of JSON, end with who started it."`
	acceptNewJournal
	LogLevel string `default:"warn" enum:"trace,debug,info,warn,error" help:"How much to log: ${enum} (${default})."`
}

// Help is part of kong's HelpProvider.
func (*devCmd) Help() string {
	return `Not for production: the PINs and all private keys lie beside the tokens. The first
start makes two SoftHSM tokens, the second for a custom key store, a CA and certificates;
later starts use them again, and so the same keys. DIR/env is a file for your shell to source; after that the other
commands need no connection flags.

Example:

    strongroom dev --tour &
    . ./strongroom-dev/env
    strongroom key create

AWS clients are answered too, in every Region that AWS has. They sign with the access key of
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY as they are when the server starts, or with test and
test.

With --ephemeral everything is in a temporary directory, which is removed at the end. When it
serves it prints one line of JSON: the address, the certificates of three principals, and the
environment for this command line. It ends on SIGTERM, when its standard input is a pipe that is
closed, and when the process that started it ends. docs/testing.md has an example.`
}

// Run serves until ctx ends.
func (c *devCmd) Run(ctx context.Context, p *Process) error {
	o := dev.Options{
		AWSListen:        c.AWSListen,
		MetricsListen:    c.Metrics,
		Account:          c.Account,
		AccessKey:        accessKeyOf(p.Getenv),
		DataDir:          cmp.Or(c.DataDir, "./strongroom-dev"),
		Listen:           c.Listen,
		Library:          c.Library,
		Tour:             c.Tour,
		AcceptNewJournal: c.AcceptNewJournal,
		Output:           p.Stdout,
		Logger:           newLogger(p.Stderr, config.Log{Level: c.LogLevel}),
	}
	daemon.TuneGC()
	if !c.Ephemeral {
		o.Listen = cmp.Or(o.Listen, "127.0.0.1:7400")
		o.AWSListen = cmp.Or(o.AWSListen, nextPort(o.Listen))
		o.MetricsListen = cmp.Or(o.MetricsListen, nextPort(o.AWSListen))
		o.Regions = devserver.AWSRegions()
		return dev.Run(ctx, o)
	}
	if c.DataDir != "" || c.Tour || c.AcceptNewJournal {
		return usagef("--ephemeral keeps nothing and talks to a program: it takes no --data-dir, --tour or --accept-new-journal")
	}
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	o.AWSListen = cmp.Or(o.AWSListen, nextPort(o.Listen))
	return dev.RunEphemeral(ctx, o, p.Stdin)
}

// nextPort is an address with the next port; one with a port that the system
// chooses is returned as it is.
func nextPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	n, wrong := strconv.ParseUint(port, 10, 16)
	if err != nil || wrong != nil || n == 0 {
		return address
	}
	return net.JoinHostPort(host, strconv.FormatUint(n+1, 10))
}

// accessKeyOf is what AWS clients sign with: what the environment has for them, so
// that a shell that is set up for AWS needs no other keys.
func accessKeyOf(getenv func(string) string) devserver.AccessKey {
	k := devserver.AccessKey{ID: getenv("AWS_ACCESS_KEY_ID"), Secret: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN")}
	if k.ID == "" || k.Secret == "" {
		return dev.DefaultAccessKey()
	}
	return k
}
