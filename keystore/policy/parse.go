package policy

import (
	"fmt"
	"slices"
)

// Versions of the language. Only the newer has policy variables; it has to be asked
// for.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// ParseKeyPolicy parses the policy of a key: every statement has a Principal or a
// NotPrincipal. The error is a [MalformedError], with the first fault.
func ParseKeyPolicy(text string) (*Document, error) {
	return parseDocument(text, &Document{resource: true})
}

// ParseIdentityPolicy parses a policy for the callers that it is attached to, whose
// statements have no principals. The name is for messages and [Decision.By]. The
// error is a [MalformedError], with the first fault.
func ParseIdentityPolicy(name, text string) (*Document, error) {
	return parseDocument(text, &Document{name: name})
}

// DefaultKeyPolicy is AWS's policy for a key that is made without one: the identity
// policies of the account's callers decide.
func DefaultKeyPolicy(account string) string {
	return fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::%s:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`, account)
}

func parseDocument(text string, d *Document) (*Document, error) {
	root, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	members, err := root.members("Version", "Id", "Statement")
	if err != nil {
		return nil, err
	}
	version, err := parseVersion(members["Version"])
	if err != nil {
		return nil, err
	}
	if err := optionalString(members["Id"]); err != nil {
		return nil, err
	}
	p := &statementParser{resource: d.resource, variables: version == version2012}
	d.statements, err = p.all(root.where, members["Statement"])
	if err != nil {
		return nil, err
	}
	return d, nil
}

// members returns an object's members by name, and refuses others than those known.
func (n node) members(known ...string) (map[string]*node, error) {
	if err := n.expect(object); err != nil {
		return nil, err
	}
	m := make(map[string]*node, len(known))
	for _, name := range known {
		m[name] = nil
	}
	for i := range n.items {
		item := &n.items[i]
		if _, ok := m[item.name]; !ok {
			return nil, malformed(n.where, "%q is not an element that may stand there", item.name)
		}
		m[item.name] = item
	}
	return m, nil
}

// parseVersion returns the older version for a document without one, as IAM does.
func parseVersion(n *node) (string, error) {
	if n == nil {
		return version2008, nil
	}
	if err := n.expect(text); err != nil {
		return "", err
	}
	if n.text != version2008 && n.text != version2012 {
		return "", malformed(n.where, "%q is neither %q nor %q", n.text, version2012, version2008)
	}
	return n.text, nil
}

func optionalString(n *node) error {
	if n == nil {
		return nil
	}
	return n.expect(text)
}

// statementParser parses the statements of one document.
type statementParser struct {
	resource  bool
	variables bool
}

func (p *statementParser) all(where string, n *node) ([]statement, error) {
	if n == nil {
		return nil, malformed(where, "has no Statement")
	}
	items, err := n.elements()
	if err != nil {
		return nil, err
	}
	statements := make([]statement, len(items))
	for i, item := range items {
		s := &statements[i]
		s.number = i + 1
		if err := p.parse(item, s); err != nil {
			return nil, err
		}
		if s.sid != "" && slices.ContainsFunc(statements[:i], func(other statement) bool { return other.sid == s.sid }) {
			return nil, malformed(item.where, "has the Sid %q, as another statement has", s.sid)
		}
	}
	return statements, nil
}

func (p *statementParser) parse(n node, s *statement) error {
	members, err := n.members("Sid", "Effect", "Principal", "NotPrincipal",
		"Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return err
	}
	fields := &statementFields{n.where, members}
	for _, set := range []func(*statementFields, *statement) error{
		p.setEffect, p.setPrincipals, p.setActions, p.setResources, p.setConditions,
	} {
		if err := set(fields, s); err != nil {
			return err
		}
	}
	return nil
}

// statementFields are the elements of a statement.
type statementFields struct {
	where   string
	members map[string]*node
}

// oneOf returns the element of that name, or the one that negates it; one of them
// has to be there, and not both.
func (f *statementFields) oneOf(name string) (n *node, negated bool, err error) {
	plain, not := f.members[name], f.members["Not"+name]
	switch {
	case plain != nil && not != nil:
		return nil, false, malformed(f.where, "has both %s and Not%s", name, name)
	case plain == nil && not == nil:
		return nil, false, malformed(f.where, "has neither %s nor Not%s", name, name)
	case not != nil:
		return not, true, nil
	default:
		return plain, false, nil
	}
}

func (p *statementParser) setEffect(f *statementFields, s *statement) error {
	if err := optionalString(f.members["Sid"]); err != nil {
		return err
	}
	if sid := f.members["Sid"]; sid != nil {
		s.sid = sid.text
	}
	effect := f.members["Effect"]
	if effect == nil {
		return malformed(f.where, "has no Effect")
	}
	if effect.kind != text || (effect.text != "Allow" && effect.text != "Deny") {
		return malformed(effect.where, `must be "Allow" or "Deny"`)
	}
	s.deny = effect.text == "Deny"
	return nil
}

func (p *statementParser) setPrincipals(f *statementFields, s *statement) error {
	if !p.resource {
		if f.members["Principal"] != nil || f.members["NotPrincipal"] != nil {
			return malformed(f.where, "has a principal, which an identity policy may not")
		}
		return nil
	}
	n, negated, err := f.oneOf("Principal")
	if err != nil {
		return err
	}
	if negated && !s.deny {
		return malformed(n.where, `may stand with the Effect "Deny" only`)
	}
	s.notPrincipal = negated
	s.principals, err = parsePrincipals(*n)
	return err
}

func (p *statementParser) setActions(f *statementFields, s *statement) error {
	n, negated, err := f.oneOf("Action")
	if err != nil {
		return err
	}
	s.notAction = negated
	s.actions, err = parseActions(*n)
	return err
}

func (p *statementParser) setResources(f *statementFields, s *statement) error {
	n, negated, err := f.oneOf("Resource")
	if err != nil {
		return err
	}
	s.notResource = negated
	s.resources, err = parseResources(*n, p.variables)
	return err
}

func (p *statementParser) setConditions(f *statementFields, s *statement) error {
	n := f.members["Condition"]
	if n == nil {
		return nil
	}
	var err error
	s.conditions, err = p.parseConditions(*n)
	return err
}
