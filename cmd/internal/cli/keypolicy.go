package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// lockout is the flag of commands that set a key policy.
type lockout struct {
	BypassPolicyLockoutSafetyCheck bool `help:"Accept a policy that keeps you from changing it again: it may leave a key that nobody can manage."`
}

// bypass returns the field of a request.
func (l lockout) bypass() *bool {
	if !l.BypassPolicyLockoutSafetyCheck {
		return nil
	}
	return new(true)
}

// maxPolicy is how much of a policy is read, in bytes: no request is longer.
const maxPolicy = 256 << 10

// readPolicy reads a policy; the server says what is wrong with it.
func readPolicy(p *Process, path string) (*string, error) {
	text, err := readUpTo(p, path, maxPolicy)
	if err != nil {
		return nil, err
	}
	if len(text) > maxPolicy {
		return nil, usagef("the policy is longer than %d bytes", maxPolicy)
	}
	return new(string(text)), nil
}

type keyPolicyCmd struct {
	Get keyPolicyGetCmd `cmd:"" help:"Print the key policy of a key."`
	Put keyPolicyPutCmd `cmd:"" help:"Replace the key policy of a key."`
}

type keyPolicyGetCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Run prints the policy.
func (c *keyPolicyGetCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.GetKeyPolicyRequest{KeyId: c.Key.id()}
	return ask(ctx, p, c.requestFlags, kms.GetKeyPolicy, request, func(w io.Writer, r *kmsv1.GetKeyPolicyResponse) error {
		_, err := fmt.Fprintln(w, strings.TrimRight(r.GetPolicy(), "\n"))
		return err
	})
}

type keyPolicyPutCmd struct {
	Key   keyID  `arg:"" help:"The key's id or ARN."`
	Input string `arg:"" optional:"" default:"-" help:"The file with the policy, in JSON; - is standard input."`
	lockout
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyPolicyPutCmd) Help() string {
	return `The new policy takes the place of the whole old one.

Example:

    strongroom key policy get $KEY > policy.json
    strongroom key policy put $KEY policy.json`
}

// Run replaces the policy.
func (c *keyPolicyPutCmd) Run(ctx context.Context, p *Process) error {
	policy, err := readPolicy(p, c.Input)
	if err != nil {
		return err
	}
	request := &kmsv1.PutKeyPolicyRequest{KeyId: c.Key.id(), Policy: policy, BypassPolicyLockoutSafetyCheck: c.bypass()}
	return change(ctx, p, c.requestFlags, kms.PutKeyPolicy, request, "Key %s has its new policy.", c.Key)
}
