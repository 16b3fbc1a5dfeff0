package policy

import "fmt"

// outcome says what a decision is and which kind of policy made it.
type outcome uint8

const (
	noIdentity outcome = iota // no identity policy allows
	noResource                // the key policy does not allow
	deniedByIdentity
	deniedByResource
	allowedByIdentity
	allowedByResource
	allowedByGrant
)

// Decision is the answer to a [Request]. The zero Decision denies.
type Decision struct {
	outcome   outcome
	document  *Document
	statement *statement
	grant     string

	request Request
	sources Sources
}

// Allowed says whether the request may go on.
func (d Decision) Allowed() bool { return d.outcome >= allowedByIdentity }

// Reason completes the sentence "... is not authorized to perform ..." in the words
// of AWS for a denied request; it is "" for an allowed one.
func (d Decision) Reason() string {
	switch d.outcome {
	case noIdentity:
		return fmt.Sprintf("because no identity-based policy allows the %s action", d.request.Action)
	case noResource:
		return fmt.Sprintf("because no resource-based policy allows the %s action", d.request.Action)
	case deniedByIdentity:
		return "with an explicit deny in an identity-based policy"
	case deniedByResource:
		return "with an explicit deny in a resource-based policy"
	default:
		return ""
	}
}

// Denied says whether a policy denies the request explicitly, which nothing can
// outweigh.
func (d Decision) Denied() bool {
	return d.outcome == deniedByResource || d.outcome == deniedByIdentity
}

// GrantID is the id of the grant that allows the request; "" if none was needed.
func (d Decision) GrantID() string { return d.grant }

// By names what allowed or denied the request, e.g. "key policy, statement 2
// (Use)", "policy \"user\", statement 1" or "grant 0c23...". It is "" if nothing
// did, so that the request is denied.
func (d Decision) By() string {
	switch {
	case d.outcome == allowedByGrant:
		return "grant " + d.grant
	case d.document != nil:
		return d.document.String() + ", " + d.statement.String()
	default:
		return ""
	}
}
