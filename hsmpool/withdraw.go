package hsmpool

import "fmt"

// withdrawnError is the reason for which an HSM was withdrawn.
type withdrawnError string

func (e withdrawnError) Error() string { return "the HSM is withdrawn from service: " + string(e) }

// Withdraw takes an HSM out of service for a reason that operators are told and, when no
// other one serves, the errors of requests tell. It is Suspended, unless it is Stopped,
// until Restore. Requests that it has are carried out. From then on it is asked for no more
// than the random byte that keeps its connection alive, and to forget keys that are
// destroyed. A new key needs as many other members as Config.Availability says. To withdraw
// it again changes the reason.
func (p *Pool) Withdraw(hsmID, reason string) error {
	return p.withdraw(hsmID, &reason)
}

// Restore takes an HSM into service again, which it may be already.
func (p *Pool) Restore(hsmID string) error { return p.withdraw(hsmID, nil) }

func (p *Pool) withdraw(hsmID string, reason *string) error {
	m := p.member(hsmID)
	if m == nil {
		return fmt.Errorf("the pool has no HSM %q", hsmID)
	}
	switch before := m.withdrawn.Swap(reason); {
	case reason != nil && (before == nil || *before != *reason):
		m.log.Warn("HSM withdrawn from service", "hsm", hsmID, "reason", *reason)
	case reason == nil && before != nil:
		m.log.Info("HSM restored to service", "hsm", hsmID, "was_withdrawn_for", *before)
	}
	p.changed()
	return nil
}

// member returns the HSM of an id; nil if there is none.
func (p *Pool) member(hsmID string) *member {
	for _, m := range p.members {
		if m.identity().hsmID == hsmID {
			return m
		}
	}
	return nil
}
