package hsmpool

import (
	"context"
	"fmt"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// PINState is what a token says of its user PIN.
type PINState int

// The states of a user PIN.
const (
	// PINUnknown: the token could not be asked, or was not.
	PINUnknown PINState = iota
	// PINGood: no wrong one was given since the last login.
	PINGood
	// PINCountLow: a wrong one was given since the last login.
	PINCountLow
	// PINFinalTry: one more wrong one locks it.
	PINFinalTry
	// PINLocked: it is locked.
	PINLocked
	// PINRefused: the token has refused the one that is configured, and is not asked again.
	PINRefused
)

// String returns the state in words.
func (s PINState) String() string {
	switch s {
	case PINGood:
		return "ok"
	case PINCountLow:
		return "count low"
	case PINFinalTry:
		return "final try"
	case PINLocked:
		return "locked"
	case PINRefused:
		return "refused"
	}
	return "unknown"
}

func pinState(t *workerv1.TokenState) PINState {
	switch {
	case t.GetPinLocked():
		return PINLocked
	case t.GetPinFinalTry():
		return PINFinalTry
	case t.GetPinCountLow():
		return PINCountLow
	}
	return PINGood
}

// UnlockCheck is what was found at one HSM.
type UnlockCheck struct {
	HSMID string
	Token TokenInfo
	PIN   PINState
	// Started says that the HSM is started again and has not been stopped at once, Reason
	// why not.
	Started bool
	Reason  string
	// forgotten: no PIN is held to be refused any more.
	forgotten bool
}

// Allowed says that the token allows a login, and that no PIN is held to be refused any
// more.
func (c UnlockCheck) Allowed() bool { return c.forgotten }

// CheckUnlock looks, without a login, at what the tokens of HSMs that are stopped say of
// their user PIN, or that of the one that is named. Where that allows a login, PINs that
// were refused are forgotten and the HSM is started again. An HSM of that name that is not
// stopped is left alone, and of one that is not the pool's nothing is told.
func (p *Pool) CheckUnlock(ctx context.Context, hsmID string) ([]UnlockCheck, error) {
	p.inFlight.Add(1)
	defer p.leave()
	if p.closed.Load() {
		return nil, p.refusal(new(order), errClosed)
	}
	select {
	case p.unlocking <- struct{}{}: // a second one would forget what the first has just found out
		defer func() { <-p.unlocking }()
	case <-ctx.Done():
		return nil, p.refusal(new(order), ctx.Err())
	}
	var checks []UnlockCheck
	var allowed []*member
	for _, m := range p.members {
		s := m.describe()
		switch {
		case hsmID != "" && hsmID != s.HSMID, hsmID == "" && s.State != Stopped:
		case s.State != Stopped:
			checks = append(checks, m.needless(s))
		default:
			c := m.checkUnlock(ctx)
			if c.Allowed() {
				c.Started = true
				allowed = append(allowed, m)
			}
			checks = append(checks, c)
		}
	}
	if len(allowed) > 0 {
		p.pin.forget()
	}
	starts := map[string]func() Status{}
	for _, m := range allowed { // not before all are looked at: some may have the same token
		starts[m.identity().hsmID] = m.restart(ctx)
	}
	for i := range checks {
		if outcome := starts[checks[i].HSMID]; outcome != nil {
			if s := outcome(); s.State == Stopped {
				checks[i].Started, checks[i].Reason = false, s.Reason
			}
		}
	}
	return checks, nil
}

// restart has a member that is stopped started again. outcome waits for the end of the
// start, no longer than ctx lasts, and returns the state then.
func (m *member) restart(ctx context.Context) (outcome func() Status) {
	before := m.startsEnded()
	m.resume()
	return func() Status {
		for {
			news := *m.pool.news.Load()
			if m.startsEnded() > before {
				return m.describe()
			}
			select {
			case <-news:
			case <-ctx.Done():
				return m.describe()
			}
		}
	}
}

// startsEnded counts the starts that have ended, well or not.
func (m *member) startsEnded() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attempts
}

// needless is the check of a member that is not stopped.
func (m *member) needless(s Status) UnlockCheck {
	c := UnlockCheck{HSMID: s.HSMID, Token: s.Token, Reason: "the HSM is not stopped: it is " + s.State.String()}
	if p := m.current.Load(); p != nil {
		c.PIN = pinState(p.token.Load().GetState())
	}
	return c
}

// CheckUnlock is what a Pool's CheckUnlock is, for HSMs that no pool has open: all of them
// are looked at, and none is started. The config's PIN is not used.
func CheckUnlock(ctx context.Context, cfg Config) ([]UnlockCheck, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("hsm config: %w", err)
	}
	defer clear(cfg.PIN.Secret)
	var checks []UnlockCheck
	for _, c := range cfg.members() {
		checks = append(checks, newMember(c, nil).checkUnlock(ctx))
	}
	return checks, nil
}

// checkUnlock looks at a member that has no worker, and forgets the PINs that were refused
// if its token allows a login.
func (m *member) checkUnlock(ctx context.Context) UnlockCheck {
	who, token, err := m.inspect(ctx)
	if err != nil {
		who = m.identity()
		return UnlockCheck{HSMID: who.hsmID, Token: who.token, Reason: err.Error()}
	}
	c := UnlockCheck{HSMID: who.hsmID, Token: who.token, PIN: pinState(token.GetState())}
	if c.PIN == PINFinalTry || c.PIN == PINLocked {
		c.Reason = "log in with the right PIN by the HSM's own tool, or have its officer unlock the user; then ask again"
		return c
	}
	if err := m.cfg.Guard.forget(ctx, who.token.Serial); err != nil {
		c.Reason = fmt.Sprintf("the PINs that were refused could not be forgotten: %v", err)
		return c
	}
	m.log.Info("an operator has acted: PINs that the token refused are forgotten", "hsm", who.hsmID, "token", who.token.Label, "serial", who.token.Serial)
	c.forgotten = true
	return c
}

// inspect asks a token what it says of itself, in a worker that does not log in.
func (m *member) inspect(ctx context.Context) (identity, *workerv1.TokenInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StartTimeout)
	defer cancel()
	calls := &callLog{auditor: m.cfg.Auditor, log: m.log, fallback: m.identity()}
	p, err := spawn(m.cfg, m.log, calls, &m.tally)
	if err != nil {
		return identity{}, nil, &Error{Class: Unavailable, Err: err}
	}
	defer p.end()
	start := m.startRequest()
	start.Pin = nil
	reply, err := p.begin(ctx, &workerv1.ToWorker{Request: &workerv1.ToWorker_Start{Start: start}})
	if err != nil {
		return identity{}, nil, failure(orIdentity(calls.who.Load(), m.identity()), ObjectID{}, reply, fmt.Errorf("looking at the token: %w", err))
	}
	m.decline(ctx, p)
	return *calls.who.Load(), p.token.Load(), nil
}
