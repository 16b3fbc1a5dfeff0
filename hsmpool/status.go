package hsmpool

import (
	"errors"
	"slices"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// Describe returns the state of every HSM, as far as it is known: none is asked.
func (p *Pool) Describe() []Status {
	waiting := uint32(p.using.waiting() + p.making.waiting())
	all := make([]Status, len(p.members))
	for i, m := range p.members {
		all[i] = m.describe()
		all[i].Waiting = waiting
		all[i].Places = uint32(p.using.places(i))
		all[i].Figures = m.tally.report()
	}
	return all
}

// describe returns the member's state, without figures.
func (m *member) describe() Status {
	var inFlight int
	if p := m.current.Load(); p != nil {
		inFlight = p.unanswered()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	s.HSMID, s.ClusterID, s.Token = m.who.hsmID, m.who.clusterID, m.who.token
	s.Library, s.Profile = m.cfg.Library, m.cfg.Profile
	s.InFlight = uint32(inFlight)
	s.BreakerOpen, s.PIN = m.breaker.open(), m.pinState()
	s.Sessions = 0
	if s.WorkerPID != 0 {
		s.Sessions = m.tally.sessionsOpen()
	}
	reason := m.reason
	s.State = m.state
	withdrawn := m.withdrawn.Load()
	if withdrawn != nil {
		s.Withdrawn = *withdrawn
	}
	switch {
	case s.State != Stopped && withdrawn != nil:
		s.State, reason = Suspended, m.withdrawal(*withdrawn)
	case s.State == Ready && s.BreakerOpen:
		s.State, reason = Suspended, m.suspension()
	}
	if reason != nil {
		s.Reason = reason.Error()
	}
	return s
}

// suspension says why the member is suspended. Its caller holds mu.
func (m *member) suspension() error {
	return &Error{
		Class: Unavailable, HSM: m.who.hsmID, Token: m.who.token.Label,
		Err: errSuspended, Hint: "it is probed every second or so; if that goes on, see to the HSM",
	}
}

// withdrawal says that the member is withdrawn, and why. Its caller holds mu.
func (m *member) withdrawal(why string) error {
	return &Error{
		Class: Unavailable, HSM: m.who.hsmID, Token: m.who.token.Label,
		Err: withdrawnError(why), Hint: "see to the HSM: it serves again when that is over",
	}
}

// pinState is what is known of the user PIN: what the token says, and how the last login has
// ended if the member is stopped for it. Its caller holds mu.
func (m *member) pinState() PINState {
	said := PINUnknown
	if token := m.tally.tokenState(); token != nil {
		said = pinState(token)
	}
	var e *Error
	if said == PINLocked || said == PINFinalTry || m.state != Stopped || !errors.As(m.reason, &e) {
		return said
	}
	switch rv := ckr.RV(e.RV); {
	case rv == ckr.PINLocked:
		return PINLocked
	case slices.Contains([]ckr.RV{ckr.PINIncorrect, ckr.PINInvalid, ckr.PINLenRange, ckr.PINExpired}, rv):
		return PINRefused
	}
	return said
}
