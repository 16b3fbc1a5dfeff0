package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrInvalid says that [Identities] cannot be built. It is wrapped with each fault.
var ErrInvalid = errors.New("invalid policies")

// Identities has the identity policies of every known principal. It never changes
// after [NewIdentities] and is safe for concurrent use; a nil *Identities knows
// nobody.
type Identities struct {
	principals map[string][]*Document
	// sessions has what a role's sessions get from it.
	sessions map[principalKey][]*Document
}

// NewIdentities gives each principal, by ARN, the documents whose names are attached
// to it and those inline, its own. The names are of documents and of [Builtins]. It
// returns [ErrInvalid], naming everything that is wrong: an ARN that is not a
// principal's, a principal without policies, two roles of one account that differ by
// their path only (as in IAM, since a session's ARN does not tell the path), a policy
// that is unknown, attached twice, named as a built-in one, or a key policy.
func NewIdentities(documents map[string]*Document, attached map[string][]string, inline map[string][]*Document) (*Identities, error) {
	b, err := newIdentityBuilder(documents)
	if err != nil {
		return nil, err
	}
	arns := make(map[string]bool)
	for arn := range attached {
		arns[arn] = true
	}
	for arn := range inline {
		arns[arn] = true
	}
	i := &Identities{principals: make(map[string][]*Document), sessions: make(map[principalKey][]*Document)}
	for _, arn := range slices.Sorted(maps.Keys(arns)) {
		i.principals[arn] = b.collect(arn, attached[arn], inline[arn])
		i.addRole(arn, b)
	}
	if err := errors.Join(b.faults...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	i.addToSessions()
	return i, nil
}

// Of returns a principal's policies. A session of a role has the role's, besides
// what is attached to itself.
func (i *Identities) Of(principal string) []*Document {
	if i == nil {
		return nil
	}
	if documents, ok := i.principals[principal]; ok {
		return documents
	}
	c, ok := newCaller(principal)
	if !ok || c.role == "" {
		return nil
	}
	return i.sessions[principalKey{c.account, c.role}]
}

// addRole gives the sessions of a role its policies.
func (i *Identities) addRole(arn string, b *identityBuilder) {
	key, ok := sessionsOf(arn)
	if !ok {
		return
	}
	if _, twice := i.sessions[key]; twice {
		b.fault("principal %q: account %s has another role %q", arn, key.account, key.name)
	}
	i.sessions[key] = i.principals[arn]
}

// addToSessions gives the sessions that have policies of their own the role's too.
func (i *Identities) addToSessions() {
	for arn, documents := range i.principals {
		if c, ok := newCaller(arn); ok && c.role != "" {
			i.principals[arn] = slices.Concat(documents, i.sessions[principalKey{c.account, c.role}])
		}
	}
}

// identityBuilder gathers faults.
type identityBuilder struct {
	known  map[string]*Document
	faults []error
}

func newIdentityBuilder(documents map[string]*Document) (*identityBuilder, error) {
	known, err := builtins()
	if err != nil {
		return nil, err
	}
	b := &identityBuilder{known: known}
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		b.add(name, documents[name])
	}
	return b, nil
}

func (b *identityBuilder) fault(format string, args ...any) {
	b.faults = append(b.faults, fmt.Errorf(format, args...))
}

func (b *identityBuilder) add(name string, d *Document) {
	switch {
	case name == "":
		b.fault("a policy has no name")
	case b.known[name] != nil:
		b.fault("policy %q: that is the name of a built-in policy", name)
	case d == nil || d.resource:
		b.fault("policy %q is not an identity policy", name)
	default:
		b.known[name] = d
	}
}

// collect gathers one principal's policies.
func (b *identityBuilder) collect(arn string, names []string, own []*Document) []*Document {
	if err := CheckPrincipal(arn); err != nil {
		b.faults = append(b.faults, err)
		return nil
	}
	if len(names)+len(own) == 0 {
		b.fault("principal %q has no policy", arn)
	}
	var documents []*Document
	for i, name := range names {
		d, ok := b.known[name]
		switch {
		case !ok:
			b.fault("principal %q: there is no policy %q, only %q", arn, name, slices.Sorted(maps.Keys(b.known)))
		case slices.Contains(names[:i], name):
			b.fault("principal %q has the policy %q twice", arn, name)
		}
		documents = append(documents, d)
	}
	for _, d := range own {
		if d == nil || d.resource {
			b.fault("principal %q has an inline policy that is not an identity policy", arn)
		}
		documents = append(documents, d)
	}
	return documents
}
