package policy

import "fmt"

// Explain says in plain words what every statement and the grants had to say, one
// line each, and in the last line what came of it. It decides anew, so the request's
// Context has to be unchanged.
func (d Decision) Explain() []string {
	var q question
	var lines []string
	switch {
	case !q.ask(d.request):
		lines = []string{"the request has no ARN of a principal, no action or no resource"}
	case !d.sources.consistent():
		lines = []string{"a policy does not stand where its kind belongs"}
	default:
		lines = append(d.explainKeyPolicy(&q), d.explainIdentity(&q)...)
		lines = append(lines, d.explainGrants()...)
	}
	return append(lines, d.summary())
}

func (d *Decision) explainKeyPolicy(q *question) []string {
	if d.sources.KeyPolicy == nil {
		return []string{"no key policy has a say in this action"}
	}
	var lines []string
	for i := range d.sources.KeyPolicy.statements {
		s := &d.sources.KeyPolicy.statements[i]
		lines = append(lines, fmt.Sprintf("key policy, %s: %s", s, s.explainInKeyPolicy(q, d.sources.KeyAccount)))
	}
	return lines
}

func (s *statement) explainInKeyPolicy(q *question, account string) string {
	r := s.reaches(&q.caller)
	if r == reachesNot {
		return "does not apply: it is not about this principal"
	}
	words := s.explain(q)
	switch {
	case s.deny || !s.applies(q) || (r == reachesCaller && q.caller.account == account):
		return words
	case q.caller.account != account:
		return "allows what an identity policy allows too, since the principal is of another account"
	default:
		return "allows what an identity policy allows too, since it names the account"
	}
}

func (d *Decision) explainIdentity(q *question) []string {
	if len(d.sources.Identity) == 0 {
		return []string{"the principal has no identity policy"}
	}
	var lines []string
	for _, document := range d.sources.Identity {
		for i := range document.statements {
			s := &document.statements[i]
			lines = append(lines, fmt.Sprintf("%s, %s: %s", document, s, s.explain(q)))
		}
	}
	return lines
}

// explain says what a statement has to say, to whom it is about.
func (s *statement) explain(q *question) string {
	if s.applies(q) {
		return s.effect(q)
	}
	context := q.context
	switch {
	case s.actions.match(q) == s.notAction:
		return "does not apply: it is not about this action"
	case s.resources.match(q.resource, context).negatedIf(s.notResource) == no:
		return "does not apply: it is not about this resource"
	}
	for i := range s.conditions {
		if d := &s.conditions[i]; d.holds(context) == no {
			return fmt.Sprintf("does not apply: the condition %s on %s does not hold", d.operator, d.name)
		}
	}
	return "does not apply: " + s.undecided(context)
}

// effect names the effect of a statement that applies.
func (s *statement) effect(q *question) string {
	switch {
	case !s.deny:
		return "allows"
	case s.about(q) == unknown:
		return "denies, to be safe: " + s.undecided(q.context)
	default:
		return "denies"
	}
}

// undecided says what of a statement is unknown.
func (s *statement) undecided(c Context) string {
	for i := range s.conditions {
		if d := &s.conditions[i]; d.holds(c) == unknown {
			return fmt.Sprintf("whether the condition %s on %s holds cannot be told from this request", d.operator, d.name)
		}
	}
	return "whether it is about this resource cannot be told from this request"
}

func (d *Decision) explainGrants() []string {
	if d.sources.KeyPolicy == nil || d.sources.Grants == nil {
		return nil
	}
	g := Decision{request: d.request, sources: d.sources}
	if g.askGrants(); g.Allowed() {
		return []string{g.By() + ": allows"}
	}
	return []string{"no grant allows it"}
}

func (d *Decision) summary() string {
	switch {
	case d.Allowed():
		return "allowed by " + d.By()
	case d.document != nil:
		return "denied by " + d.By()
	default:
		return "denied, " + d.Reason()
	}
}
