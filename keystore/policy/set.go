package policy

// Set decides by identity policies alone, the built-in ones. It never changes after
// [New] and is safe for concurrent use. The zero Set denies everything.
type Set struct{ identities *Identities }

// New builds a Set from the names of each principal's policies, by principal ARN,
// with the errors of [NewIdentities].
func New(policies map[string][]string) (*Set, error) {
	i, err := NewIdentities(nil, policies, nil)
	if err != nil {
		return nil, err
	}
	return &Set{identities: i}, nil
}

// Allows answers a request.
func (s *Set) Allows(r Request) Decision {
	return Decide(r, Sources{Identity: s.identities.Of(r.Principal)})
}
