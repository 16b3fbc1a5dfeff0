package hsmpool

import (
	"context"
	"fmt"
)

// Start starts the worker and does not wait for it: it comes up in the background, and
// is tried again while it does not. An error is one of the config.
func Start(cfg Config) (*Pool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("hsm config: %w", err)
	}
	p := &Pool{
		member: newMember(cfg),
		limit:  int64(cfg.MaxInFlight),
		turn:   make(chan struct{}, 1),
		idle:   make(chan struct{}, 1),

		abilities: newAbilities(),
	}
	p.orphans = newOrphanage(p.destroyOrphan, orphanSettle, cfg.Logger)
	p.member.run(nil)
	return p, nil
}

// Await returns nil once n members have been ready, or why that is not to be expected:
// the error of a first start that has failed, or ctx's end.
func (p *Pool) Await(ctx context.Context, n int) error {
	if n > 1 {
		return &Error{Class: Unavailable, Err: fmt.Errorf("there is one HSM, and %d are wanted", n)}
	}
	for {
		m := p.member
		m.mu.Lock()
		state, reason, ended, changed := m.state, m.reason, m.failures > 0, m.changed
		m.mu.Unlock()
		switch {
		case state == Ready:
			return nil
		case state == Stopped, ended:
			return reason
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &Error{Class: Timeout, Err: fmt.Errorf("waiting for the HSM: %w", ctx.Err())}
		}
	}
}
