package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool/worker"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/daemon"
)

type serveCmd struct {
	Config string `required:"" short:"f" placeholder:"FILE" help:"The configuration, in YAML."`
	acceptNewJournal
}

// acceptNewJournal is the flag of the commands that serve.
type acceptNewJournal struct {
	AcceptNewJournal bool `help:"Go on although the audit journal or the metadata is not the one that the other belongs to, because it was lost. The new journal says so."`
}

// Help is part of kong's HelpProvider.
func (*serveCmd) Help() string {
	return `Serves until it gets SIGTERM or SIGINT; then it lets the requests in flight finish.
docs/example.yaml is a configuration to begin with.

Example:

    strongroom serve --config /etc/strongroom/strongroom.yaml`
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, p *Process) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	logger := newLogger(p.Stderr, cfg.Log)
	daemon.TuneGC()
	err = daemon.Run(ctx, cfg, logger, daemon.Options{AcceptNewJournal: c.AcceptNewJournal})
	if err != nil && cfg.Log.JSON {
		logger.Error("the server failed", "error", err)
		return exitCode(exitOf(err))
	}
	return err
}

type checkConfigCmd struct {
	Config string `arg:"" help:"The configuration, in YAML."`
}

// Help is part of kong's HelpProvider.
func (*checkConfigCmd) Help() string {
	return `Checks the file, and the files of policies that it names and that are there; not the other
files, the token and the address, so that it can run anywhere. Each line of the error is one
fault.`
}

// Run checks the file.
func (c *checkConfigCmd) Run(p *Process) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := checkPolicies(p, cfg.Policies); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%s is a good configuration\n", c.Config)
	return err
}

// checkPolicies checks the files of policies, given by name. One that is not there
// is told of, and no fault.
func checkPolicies(p *Process, files map[string]string) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_, _, err := daemon.ReadPolicy(name, files[name])
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := fmt.Fprintf(p.Stderr, "the policy %q is not checked: %s is not there; where it is not, the server does not start\n", name, files[name]); err != nil {
				return err
			}
			continue
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

type hsmWorkerCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

// Run serves one HSM over the socket that the server left open for it.
func (c *hsmWorkerCmd) Run() error {
	if code := worker.Main(c.Args); code != exitOK {
		return exitCode(code)
	}
	return nil
}

// newLogger makes the server's log, which goes to standard error.
func newLogger(w io.Writer, c config.Log) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       "strongroom",
		Level:      hclog.LevelFromString(c.Level),
		Output:     w,
		JSONFormat: c.JSON,
	})
}
