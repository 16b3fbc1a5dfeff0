// Package policy decides which principal may take which action on which
// resource. It is pure: it knows nothing of requests, keys or configuration
// files, and asks nobody.
//
// A principal has one or more policies, given by name; see [Builtins] for the
// names. Whatever no policy allows is denied, and so is a principal that is not
// known. Policies are evaluated as the identity-based policies of AWS IAM are;
// the built-in ones are what a JSON document of that kind would parse into.
package policy

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// ErrInvalid says that a [Set] cannot be built. It is wrapped with each fault.
var ErrInvalid = errors.New("invalid policies")

// Set holds the policies of every known principal. It never changes after [New]
// and is safe for concurrent use. The zero Set denies everything.
type Set struct {
	principals map[string][]document
}

// principalARN is what AWS KMS accepts as a principal, of the kinds that can call
// it: the account root, IAM users and roles, and STS sessions.
var principalARN = regexp.MustCompile(
	`^arn:aws[a-z-]*:(iam::[0-9]{12}:(root|(user|role)/[\w+=,.@/-]+)|sts::[0-9]{12}:(assumed-role|federated-user)/[\w+=,.@/-]+)$`)

// maxPrincipal is the longest principal ARN, in bytes (AWS KMS: GranteePrincipal).
const maxPrincipal = 256

// New builds a Set from the names of each principal's policies, by principal ARN.
// It returns [ErrInvalid], naming everything that is wrong: an ARN that is not a
// principal's, a principal without policies, and a policy that is unknown or
// named twice.
func New(policies map[string][]string) (*Set, error) {
	known := builtins()
	s := &Set{principals: make(map[string][]document, len(policies))}
	var faults []error
	for _, arn := range slices.Sorted(maps.Keys(policies)) {
		documents, err := attach(known, arn, policies[arn])
		faults = append(faults, err)
		s.principals[arn] = documents
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return s, nil
}

// attach looks up one principal's policies.
func attach(known map[string]document, arn string, names []string) ([]document, error) {
	if len(arn) > maxPrincipal || !principalARN.MatchString(arn) {
		return nil, fmt.Errorf("principal %q is not the ARN of an IAM user, role, root or session", arn)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("principal %q has no policy", arn)
	}
	var documents []document
	for i, name := range names {
		d, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("principal %q: there is no policy %q, only %q", arn, name, Builtins())
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("principal %q has the policy %q twice", arn, name)
		}
		documents = append(documents, d)
	}
	return documents, nil
}

// Allows answers a request. A request with an empty field is denied.
func (s *Set) Allows(r Request) Decision {
	if r.Principal == "" || r.Action == "" || r.Resource == "" {
		return Decision{action: r.Action}
	}
	for _, d := range s.principals[r.Principal] {
		if d.allows(r.Action, r.Resource) {
			return Decision{policy: d.name, action: r.Action}
		}
	}
	return Decision{action: r.Action}
}

// Decision is the answer to a [Request]. The zero Decision denies.
type Decision struct {
	policy string
	action string
}

// Allowed says whether the request may go on.
func (d Decision) Allowed() bool { return d.policy != "" }

// Policy is the name of the policy that allowed the request, or "".
func (d Decision) Policy() string { return d.policy }

// Reason completes the sentence "... is not authorized to perform ..." in the
// words of AWS for a denied request; it is "" for an allowed one.
func (d Decision) Reason() string {
	if d.Allowed() {
		return ""
	}
	return fmt.Sprintf("because no identity-based policy allows the %s action", d.action)
}
