package policy

import "strings"

// quantifier says how the values of a key in a request count together.
type quantifier uint8

const (
	single       quantifier = iota
	forAnyValue             // one of them is enough
	forAllValues            // all have to; none do
)

// condition is one operator on one key.
type condition struct {
	// operator and name are as the document writes them, e.g. "StringEquals" and
	// "aws:PrincipalArn"; key is the name in lower case.
	operator, name, key string

	quantifier quantifier
	ifExists   bool
	// negated operators hold when no value matches.
	negated bool
	// values is nil for the operator Null.
	values matcher
	// absent has what Null wants: that the key is absent, that it is there, or
	// either.
	absent []bool
}

// matcher compares a value of a request with all of a condition's.
type matcher interface {
	// match is yes if one of the condition's values matches.
	match(value string, c Context) truth
}

func (d *condition) holds(c Context) truth {
	values := lookup(c, d.key)
	switch {
	case d.values == nil:
		return d.null(len(values) == 0)
	case len(values) == 0:
		return truthOf(d.holdsWithout())
	}
	switch d.quantifier {
	case forAnyValue:
		return d.any(values, c)
	case forAllValues:
		return d.all(values, c)
	default:
		return d.single(values, c)
	}
}

func (d *condition) null(absent bool) truth {
	for _, want := range d.absent {
		if want == absent {
			return yes
		}
	}
	return no
}

// holdsWithout says whether the condition holds for a request that does not have
// the key.
func (d *condition) holdsWithout() bool {
	switch {
	case d.ifExists || d.quantifier == forAllValues:
		return true
	case d.quantifier == forAnyValue:
		return false
	default:
		return d.negated
	}
}

func (d *condition) one(value string, c Context) truth {
	return d.values.match(value, c).negatedIf(d.negated)
}

func (d *condition) any(values []string, c Context) truth {
	t := no
	for _, v := range values {
		t = max(t, d.one(v, c))
	}
	return t
}

func (d *condition) all(values []string, c Context) truth {
	t := yes
	for _, v := range values {
		t = min(t, d.one(v, c))
	}
	return t
}

// single is for a condition that expects one value. Of several it is not said which
// counts: unless they agree, it is unknown whether the condition holds.
func (d *condition) single(values []string, c Context) truth {
	t := d.one(values[0], c)
	for _, v := range values[1:] {
		if d.one(v, c) != t {
			return unknown
		}
	}
	return t
}

// parseConditions returns a condition for each operator and key. All of them have to hold.
func (p *statementParser) parseConditions(n node) ([]condition, error) {
	if err := n.expect(object); err != nil {
		return nil, err
	}
	var all []condition
	for _, block := range n.items {
		conditions, err := p.parseBlock(block)
		if err != nil {
			return nil, err
		}
		all = append(all, conditions...)
	}
	return all, nil
}

// parseBlock parses the keys of one operator.
func (p *statementParser) parseBlock(n node) ([]condition, error) {
	if err := n.expect(object); err != nil {
		return nil, err
	}
	if len(n.items) == 0 {
		return nil, malformed(n.where, "has no condition key")
	}
	form, err := parseOperator(n.where, n.name)
	if err != nil {
		return nil, err
	}
	var all []condition
	for i, item := range n.items {
		if err := p.checkKeyAt(n, i); err != nil {
			return nil, err
		}
		d := form
		d.name, d.key = item.name, strings.ToLower(item.name)
		if err := p.setValues(&d, item); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// checkKeyAt checks the name of a key, which may not stand under its operator before.
func (p *statementParser) checkKeyAt(block node, i int) error {
	item := block.items[i]
	for _, earlier := range block.items[:i] {
		if strings.EqualFold(earlier.name, item.name) {
			return malformed(item.where, "the condition key stands there twice, since case does not count")
		}
	}
	return checkKey(item, p.resource)
}

// setValues compiles the values of a condition.
func (p *statementParser) setValues(d *condition, n node) error {
	all, err := n.scalars()
	if err != nil {
		return err
	}
	base := baseOperator(d.operator)
	if base == "Null" {
		d.absent, err = parseBools(all)
		return err
	}
	o, _ := operatorOf(base)
	d.values, err = o.compile(all, p.variables)
	return err
}
