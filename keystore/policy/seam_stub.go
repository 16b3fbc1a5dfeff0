package policy

import (
	"errors"
	"time"
)

// MaxKeyPolicy is AWS's quota for the length of a key policy, in characters:
// longer ones are refused with LimitExceededException, by who calls
// [ParseKeyPolicy].
const MaxKeyPolicy = 32768

// MaxDocument is the length, in characters, above which no document is parsed:
// the longest policy that the API's model accepts.
const MaxDocument = 131072

// LockoutMessage is AWS's message for a key policy that [AllowsPrincipal] refuses.
const LockoutMessage = "The new key policy will not allow you to update the key policy in the future."

// Document is a policy, parsed and checked. It never changes and is safe for
// concurrent use.
type Document struct{ name string }

// Name is the name that an identity policy was parsed with; "" for a key policy.
func (d *Document) Name() string { return d.name }

// MalformedError says that a policy cannot be understood.
type MalformedError struct {
	// Where is the place in the document, e.g. "Statement[1].Effect".
	Where string
	// What is wrong there.
	What string

	message string
}

// Error says where and what.
func (e *MalformedError) Error() string { return e.Where + ": " + e.What }

// Message is for the caller of the API, in AWS's words where they are known.
func (e *MalformedError) Message() string {
	if e.message != "" {
		return e.message
	}
	return e.Error()
}

// ParseKeyPolicy parses the policy of a key.
func ParseKeyPolicy(text string) (*Document, error) {
	return nil, &MalformedError{Where: "policy", What: "key policies are not parsed yet"}
}

// ParseIdentityPolicy parses a policy for the callers that it is attached to.
func ParseIdentityPolicy(name, text string) (*Document, error) {
	return nil, &MalformedError{Where: "policy", What: "identity policies are not parsed yet"}
}

// DefaultKeyPolicy is the policy of a key that was made without one.
func DefaultKeyPolicy(account string) string { return "" }

// Decide answers a request.
func Decide(r Request, s Sources) Decision { return Decision{action: r.Action} }

// By names what decided: a policy and its statement, or a grant.
func (d Decision) By() string { return d.policy }

// Explain says in plain words what every policy had to say.
func (d Decision) Explain() []string { return nil }

// AllowsPrincipal says whether the request would be allowed by a key that had
// this policy.
func AllowsPrincipal(d *Document, account string, r Request) bool { return false }

// KnownConditionKeys lists the condition keys that have a meaning here.
func KnownConditionKeys() []string { return nil }

// Identities holds the identity policies of every known principal.
type Identities struct{}

// NewIdentities builds Identities from named documents, the names attached to
// principals and the documents of a principal alone.
func NewIdentities(documents map[string]*Document, attached map[string][]string, inline map[string][]*Document) (*Identities, error) {
	return nil, errors.New("not there yet")
}

// Of returns the policies of a principal.
func (i *Identities) Of(principal string) []*Document { return nil }

// CheckPrincipal says whether a principal's ARN is one of a kind that can call.
func CheckPrincipal(arn string) error { return nil }

// Grant lets one principal do some operations with one key.
type Grant struct {
	ID, Token, Name                   string
	Grantee, Retiring, IssuingAccount string
	Operations                        []string
	Equals, Subset                    map[string]string
	Created                           time.Time
}

// Grants is an index of one key's grants.
type Grants struct{}

// NewGrants returns an empty index.
func NewGrants() *Grants { return &Grants{} }

// Put adds a grant, or replaces the one of the same ID.
func (g *Grants) Put(grant Grant) {}

// Remove removes a grant and says whether there was one.
func (g *Grants) Remove(id string) bool { return false }

// Get returns a grant.
func (g *Grants) Get(id string) (Grant, bool) { return Grant{}, false }

// Len is the number of grants.
func (g *Grants) Len() int { return 0 }

// Grant implements [GrantFinder].
func (g *Grants) Grant(principal, operation string, encryptionContext map[string]string, tokens []string) (id string, ok bool) {
	return "", false
}
