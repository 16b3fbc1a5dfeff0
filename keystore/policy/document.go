package policy

import "fmt"

// Document is a policy, parsed and checked. It never changes and is safe for
// concurrent use.
type Document struct {
	name string
	// resource: it is a key policy, each statement of which has principals.
	resource   bool
	statements []statement
}

// Name is the name that an identity policy was parsed with; "" for a key policy.
func (d *Document) Name() string { return d.name }

// String names the document in the words of [Decision.By].
func (d *Document) String() string {
	if d.resource {
		return "key policy"
	}
	return fmt.Sprintf("policy %q", d.name)
}

// statement allows or denies actions on resources under conditions. Each element
// with "not" is negated.
type statement struct {
	number int // from 1
	sid    string
	deny   bool

	principals   *principals // nil in an identity policy
	notPrincipal bool
	actions      actions
	notAction    bool
	resources    resources
	notResource  bool
	conditions   []condition
}

func (s *statement) String() string {
	if s.sid == "" {
		return fmt.Sprintf("statement %d", s.number)
	}
	return fmt.Sprintf("statement %d (%s)", s.number, s.sid)
}

// question is a request that has been looked through once.
type question struct {
	caller   caller
	action   actionName
	resource string
	context  Context
}

// ask is false for a request that nobody could have made; it is denied.
func (q *question) ask(r Request) bool {
	q.resource, q.context = r.Resource, r.Context
	var ok bool
	q.caller, ok = newCaller(r.Principal)
	return ok && r.Resource != "" && q.action.set(r.Action)
}

// reaches says how the statement's principals name the caller. NotPrincipal stands
// with Deny only, and its exceptions are callers, not accounts.
func (s *statement) reaches(c *caller) reach {
	if !s.notPrincipal {
		return s.principals.reach(c)
	}
	if s.principals.everybody || s.principals.names(c) {
		return reachesNot
	}
	return reachesCaller
}

// about says whether the statement is about the request, whoever it is from.
func (s *statement) about(q *question) truth {
	if s.actions.match(q) == s.notAction {
		return no
	}
	t := s.resources.match(q.resource, q.context).negatedIf(s.notResource)
	for i := 0; i < len(s.conditions) && t != no; i++ {
		t = min(t, s.conditions[i].holds(q.context))
	}
	return t
}

// applies says whether the statement has its effect. What is unknown denies.
func (s *statement) applies(q *question) bool {
	t := s.about(q)
	return t == yes || (t == unknown && s.deny)
}

// findings are the first statements of each kind that apply.
type findings struct {
	deny, allow *statement
	// delegate allows what the caller's identity policies allow too.
	delegate *statement
}

// identity finds what an identity policy says.
func (d *Document) identity(q *question) findings {
	var f findings
	for i := range d.statements {
		s := &d.statements[i]
		switch {
		case s.deny && f.deny == nil && s.applies(q):
			f.deny = s
		case !s.deny && f.allow == nil && s.applies(q):
			f.allow = s
		}
	}
	return f
}

// resourcePolicy finds what a key policy says. A caller of another account than the key's
// needs an identity policy as well, however the statement names it.
func (d *Document) resourcePolicy(q *question, account string) findings {
	var f findings
	for i := range d.statements {
		s := &d.statements[i]
		r := s.reaches(&q.caller)
		if r == reachesNot {
			continue
		}
		into := f.place(s, r == reachesCaller && q.caller.account == account)
		if *into == nil && s.applies(q) {
			*into = s
		}
	}
	return f
}

// place is where a statement of a key policy is noted.
func (f *findings) place(s *statement, byItself bool) **statement {
	switch {
	case s.deny:
		return &f.deny
	case byItself:
		return &f.allow
	default:
		return &f.delegate
	}
}
