package main

import (
	"context"
	"flag"
	"fmt"
	"io"
)

// childOptions make this program one of its own child processes.
type childOptions struct {
	// role is "load", "noop" or "journal"; empty in the parent.
	role string
	// address, ca, cert and key say whom to call, or how to serve.
	address, ca, cert, key string
	// awsAddress is where AWS clients are answered; empty: the load is gRPC's.
	awsAddress string
	// operation is what the load consists of.
	operation string
	// kmsKey is the key that operations use.
	kmsKey string
	// dir is the journal's directory.
	dir string
}

func (c *childOptions) register(flags *flag.FlagSet) {
	for _, f := range []struct {
		to          *string
		name, usage string
	}{
		{&c.role, "child", "internal: be a child process of this role"},
		{&c.address, "child-address", "internal"},
		{&c.ca, "child-ca", "internal"},
		{&c.cert, "child-cert", "internal"},
		{&c.key, "child-key", "internal"},
		{&c.awsAddress, "child-aws-address", "internal"},
		{&c.operation, "child-operation", "internal"},
		{&c.kmsKey, "child-kms-key", "internal"},
		{&c.dir, "child-dir", "internal"},
	} {
		flags.StringVar(f.to, f.name, "", f.usage)
	}
}

// Lines with which a child that measures tells its parent where it is.
const (
	lineBegin  = "begin"
	lineEnd    = "end"
	lineResult = "result "
)

func runChild(ctx context.Context, o options, stdout io.Writer) error {
	switch o.child.role {
	case "load":
		return runLoad(ctx, o, stdout)
	case "noop":
		return runNoop(ctx, o, stdout)
	case "journal":
		return runJournal(ctx, o, stdout)
	default:
		return fmt.Errorf("unknown role %q", o.child.role)
	}
}
