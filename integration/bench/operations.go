package main

import (
	"context"
	"os/exec"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// subject is the real server and what the load needs of it.
type subject struct {
	*harness.Server
	worker     int
	kmsKey     string
	awsAddress string
	accessKey  harness.AccessKey
}

// operations measures the real server and its worker: each operation over gRPC and
// as AWS clients call it, one right after the other, since they are compared.
func (b *bench) operations(ctx context.Context) ([]row, error) {
	server, err := b.site.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	s, err := b.newSubject(ctx, server)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, operation := range []string{opEncrypt, opDecrypt, opDataKey} {
		for _, n := range b.inFlight {
			pair, err := b.operation(ctx, s, operation, n)
			if err != nil {
				return nil, err
			}
			rows = append(rows, pair...)
		}
	}
	return rows, server.Stop(ctx)
}

func (b *bench) newSubject(ctx context.Context, server *harness.Server) (*subject, error) {
	s := &subject{Server: server}
	client, err := b.site.Dial(server.Address, harness.Admin)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck // all calls are over
	if s.kmsKey, err = client.NewKey(ctx); err != nil {
		return nil, err
	}
	if s.accessKey, err = client.NewAccessKey(ctx, harness.ARN(harness.User)); err != nil {
		return nil, err
	}
	if s.awsAddress, err = server.AWSAddress(ctx); err != nil {
		return nil, err
	}
	s.worker, err = server.Worker(ctx, 0)
	return s, err
}

// operation measures an operation over gRPC and as AWS clients call it.
func (b *bench) operation(ctx context.Context, s *subject, operation string, inFlight int) ([]row, error) {
	overGRPC, err := b.measure(b.load(ctx, operation, inFlight, s.Address, s.kmsKey), operation, inFlight, s.PID, s.worker)
	if err != nil {
		return nil, err
	}
	cmd := b.load(ctx, operation, inFlight, s.Address, s.kmsKey, "-child-aws-address", s.awsAddress)
	cmd.Env = append(cmd.Environ(), variableID+"="+s.accessKey.ID, variableSecret+"="+s.accessKey.Secret)
	overAWS, err := b.measure(cmd, operation+suffixAWS, inFlight, s.PID, s.worker)
	return []row{overGRPC, overAWS}, err
}

// load prepares a load generator in its own process.
func (b *bench) load(ctx context.Context, operation string, inFlight int, address, key string, more ...string) *exec.Cmd {
	id := b.site.Identities[harness.User]
	args := append([]string{
		"-child-address", address, "-child-ca", b.site.CA.Cert, "-child-cert", id.Cert, "-child-key", id.Key,
		"-child-operation", operation, "-child-kms-key", key,
	}, more...)
	return b.child(ctx, "load", inFlight, args...)
}
