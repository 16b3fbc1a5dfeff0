package policy

import "strings"

// Decide answers a request as IAM does within one account:
//
//  1. A Deny that applies, in the key policy or an identity policy, denies.
//  2. A statement of the key policy that names the caller, the role whose session
//     it is, or everybody, allows. One that names the account allows what an
//     identity policy allows too; to the account's root it allows by itself. A
//     caller of another account than the key's always needs both.
//  3. A grant allows its operations.
//  4. Nothing else is allowed.
//
// Without a key policy the identity policies decide alone.
//
// A request without a principal's ARN, an action or a resource is denied, and so is
// every request if Sources has a key policy among the identity policies or the
// other way round.
func Decide(r Request, s Sources) Decision {
	d := Decision{request: r, sources: s}
	var q question
	if q.ask(r) && s.consistent() {
		d.decide(&q)
	}
	return d
}

// consistent says whether every document is of the kind of its place.
func (s *Sources) consistent() bool {
	for _, document := range s.Identity {
		if document == nil || document.resource {
			return false
		}
	}
	return s.KeyPolicy == nil || s.KeyPolicy.resource
}

func (d *Decision) decide(q *question) {
	var key findings
	if d.sources.KeyPolicy != nil {
		key = d.sources.KeyPolicy.resourcePolicy(q, d.sources.KeyAccount)
		if key.deny != nil {
			d.by(deniedByResource, d.sources.KeyPolicy, key.deny)
			return
		}
	}
	if denied := d.askIdentity(q); denied || d.sources.KeyPolicy == nil {
		return
	}
	d.combine(key)
	if !d.Allowed() {
		d.askGrants()
	}
}

// askIdentity notes what the identity policies say, and whether one of them denies.
func (d *Decision) askIdentity(q *question) (denied bool) {
	for _, document := range d.sources.Identity {
		f := document.identity(q)
		if f.deny != nil {
			d.by(deniedByIdentity, document, f.deny)
			return true
		}
		if f.allow != nil && d.outcome == noIdentity {
			d.by(allowedByIdentity, document, f.allow)
		}
	}
	return false
}

// combine weighs what the key policy says against what the identity policies said.
func (d *Decision) combine(key findings) {
	switch {
	case key.allow != nil:
		d.by(allowedByResource, d.sources.KeyPolicy, key.allow)
	case key.delegate == nil:
		d.by(noResource, nil, nil)
	}
}

func (d *Decision) askGrants() {
	operation, ok := strings.CutPrefix(d.request.Action, "kms:")
	if !ok || d.sources.Grants == nil {
		return
	}
	id, ok := d.sources.Grants.Grant(d.request.Principal, operation, d.request.EncryptionContext, d.request.GrantTokens)
	if ok {
		d.by(allowedByGrant, nil, nil)
		d.grant = id
	}
}

func (d *Decision) by(o outcome, document *Document, s *statement) {
	d.outcome, d.document, d.statement = o, document, s
}

// AllowsPrincipal says whether a key of that account with policy d would let the
// request be made: it is the safety check of CreateKey and PutKeyPolicy, asked with
// the action "kms:PutKeyPolicy", the context of the caller's present request and, for
// a key that has none yet, any key's ARN. As with AWS, a statement that leaves the
// decision to the caller's identity policies is enough, whatever those say now,
// since they can be changed without the key. A Deny that applies is not.
func AllowsPrincipal(d *Document, account string, r Request) bool {
	var q question
	if d == nil || !d.resource || !q.ask(r) {
		return false
	}
	f := d.resourcePolicy(&q, account)
	return f.deny == nil && (f.allow != nil || f.delegate != nil)
}
