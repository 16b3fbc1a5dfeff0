package hsmpool

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-hclog"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// InitConfig says which token to make.
type InitConfig struct {
	// Library is the path of the PKCS#11 library, Env the worker's whole environment.
	Library string
	Env     []string
	// Label names the new token; no token may have it.
	Label string
	// SOPIN and PIN become the security officer's and the user's.
	SOPIN, PIN PINSource
	// HSMID names the HSM in the audit trails; derived from the token's serial number
	// when empty.
	HSMID string
	// WorkerCommand starts a worker; default "/proc/self/exe hsm-worker".
	WorkerCommand []string
	// Logger may be nil.
	Logger hclog.Logger
	// Auditor is required: the HSM's log starts with these commands.
	Auditor Auditor
}

// InitToken initialises the token of a free slot and sets the user's PIN, in a worker
// process of its own. It is for development: a real HSM's token is made by the people
// who own it. The commands are durable in the HSM's log when nil is returned.
func InitToken(ctx context.Context, cfg InitConfig) error {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("initialising a token: %w", err)
	}
	whole := cfg.config()
	p, err := spawn(whole, whole.Logger, &callLog{auditor: cfg.Auditor, log: whole.Logger, fallback: whole.anonymous()}, &tally{})
	if err != nil {
		return &Error{Class: Unavailable, Err: err}
	}
	defer p.end()
	reply, err := p.begin(ctx, &workerv1.ToWorker{Request: &workerv1.ToWorker_InitToken{InitToken: cfg.request()}})
	if err != nil {
		return failure(orIdentity(p.calls.who.Load(), whole.anonymous()), ObjectID{}, reply, fmt.Errorf("initialising token %q: %w", cfg.Label, err))
	}
	return nil
}

func (c InitConfig) check() error {
	switch {
	case c.Library == "":
		return fmt.Errorf("no PKCS#11 library is named")
	case c.Label == "":
		return fmt.Errorf("the token needs a label")
	case c.Auditor == nil:
		return fmt.Errorf("no auditor")
	}
	if err := c.SOPIN.check(); err != nil {
		return fmt.Errorf("security officer: %w", err)
	}
	return c.PIN.check()
}

// config returns what spawning a worker reads.
func (c InitConfig) config() Config {
	return Config{
		Env:           workerEnv(c.Env, c.SOPIN.Env, c.PIN.Env),
		Token:         TokenSelector{Label: c.Label},
		HSMID:         c.HSMID,
		WorkerCommand: orDefaultCommand(c.WorkerCommand),
		Logger:        orNullLogger(c.Logger),
		MaxInFlight:   1,
	}
}

func (c InitConfig) request() *workerv1.InitTokenRequest {
	return &workerv1.InitTokenRequest{
		Library: c.Library,
		Label:   c.Label,
		SoPin:   c.SOPIN.proto(),
		Pin:     c.PIN.proto(),
	}
}
