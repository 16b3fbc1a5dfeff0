package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/strongroom-kms/strongroom/internal/devserver"
)

// RunEphemeral serves from a temporary directory until ctx ends, nobody holds
// the other end of stdin any more, or the process that started this one has
// ended; then it removes the directory. o.DataDir is not used. When it serves it
// prints Facts, as one line of JSON.
//
// Who started it is known only as long as it runs: a server that a shell has left
// in the background, without a pipe, is ended by a signal alone, and says so.
//
// What kills the process outright (SIGKILL, a second SIGINT) leaves the directory,
// strongroom-dev-* in os.TempDir, and nothing else: the HSM worker ends with its
// server.
func RunEphemeral(ctx context.Context, o Options, stdin io.Reader) (err error) {
	// Whoever started us may be gone, and our standard error with it: a line of
	// the log is then lost, which must not kill us before we have cleaned up.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	ctx, release, err := leash(ctx, stdin)
	if err != nil {
		return err
	}
	defer release()
	if stray(os.Getppid(), stdin) {
		o.Logger.Warn("only a signal will end this server: it does not know the process that started it, and its standard input is no pipe", "pid", os.Getpid())
	}
	if o.DataDir, err = os.MkdirTemp("", "strongroom-dev-"); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(o.DataDir))
	}()
	return o.serve(ctx, nil, func(_ context.Context, site *devserver.Site) error {
		facts, err := factsOf(site)
		if err != nil {
			return err
		}
		return json.NewEncoder(o.Output).Encode(facts)
	})
}

// Facts are what a program needs to use the server: all of it is the API of
// `strongroom dev --ephemeral`, described in docs/testing.md.
type Facts struct {
	Address string `json:"address"`
	// AWSURL is the endpoint for AWS clients, who sign with the access key that the
	// flags or the environment give, or test and test.
	AWSURL  string `json:"aws_url"`
	CACert  string `json:"ca_cert"`
	Account string `json:"account"`
	Region  string `json:"region"`
	// DataDir has the journal and the token.
	DataDir string `json:"data_dir"`
	PID     int    `json:"pid"`
	// Env is the environment in which the command line is the principal admin.
	Env        map[string]string         `json:"env"`
	Principals map[string]PrincipalFacts `json:"principals"`
}

// PrincipalFacts are those of a caller.
type PrincipalFacts struct {
	ARN        string   `json:"arn"`
	Policies   []string `json:"policies"`
	ClientCert string   `json:"client_cert"`
	ClientKey  string   `json:"client_key"`
}

func factsOf(site *devserver.Site) (Facts, error) {
	f := Facts{
		Address: site.Address, AWSURL: "http://" + site.AWSAddress, CACert: site.CACert, Account: site.Account, Region: devserver.Region, DataDir: site.Dir, PID: os.Getpid(),
		Env: map[string]string{}, Principals: map[string]PrincipalFacts{},
	}
	env, err := site.Env(admin)
	if err != nil {
		return f, err
	}
	for _, v := range env {
		f.Env[v[0]] = v[1]
	}
	for _, p := range site.Principals {
		c, err := site.Connection(p.Name)
		if err != nil {
			return f, err
		}
		f.Principals[p.Name] = PrincipalFacts{ARN: site.ARN(p), Policies: p.Policies, ClientCert: c.ClientCert, ClientKey: c.ClientKey}
	}
	return f, nil
}
