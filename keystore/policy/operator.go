package policy

import (
	"slices"
	"strings"
)

const (
	ifExistsSuffix     = "IfExists"
	forAnyValuePrefix  = "ForAnyValue:"
	forAllValuesPrefix = "ForAllValues:"
)

// operator is what the name of a condition operator means.
type operator struct {
	negated bool
	compile compiler
}

// operatorOf returns the operator of a name, without Null, which compares nothing.
func operatorOf(name string) (o operator, ok bool) {
	switch name {
	case "StringEquals", "StringNotEquals":
		o.compile = patterns(pattern{}, false)
	case "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase":
		o.compile = patterns(pattern{fold: true}, false)
	case "StringLike", "StringNotLike":
		o.compile = patterns(pattern{}, true)
	case "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike":
		o.compile = patterns(pattern{arn: true}, true)
	case "Bool":
		o.compile = compileBools
	case "IpAddress", "NotIpAddress":
		o.compile = compileAddresses
	default:
		o.compile = compileOrdered(name)
	}
	o.negated = strings.Contains(name, "Not")
	return o, o.compile != nil
}

type compiler func(values []node, variables bool) (matcher, error)

// compileOrdered returns nil for a name that is not one of numbers or dates.
func compileOrdered(name string) compiler {
	if suffix, ok := strings.CutPrefix(name, "Numeric"); ok {
		if holds := orderingOf(suffix); holds != nil {
			return numbers(holds)
		}
	}
	if suffix, ok := strings.CutPrefix(name, "Date"); ok {
		if holds := orderingOf(suffix); holds != nil {
			return dates(holds)
		}
	}
	return nil
}

// ordering says whether the comparison of a request's value with a condition's,
// -1, 0 or 1, is one that matches.
type ordering func(int) bool

// orderingOf returns nil for what is not the end of an operator's name.
func orderingOf(name string) ordering {
	switch name {
	case "Equals", "NotEquals":
		return func(c int) bool { return c == 0 }
	case "LessThan":
		return func(c int) bool { return c < 0 }
	case "LessThanEquals":
		return func(c int) bool { return c <= 0 }
	case "GreaterThan":
		return func(c int) bool { return c > 0 }
	case "GreaterThanEquals":
		return func(c int) bool { return c >= 0 }
	default:
		return nil
	}
}

// parseOperator understands the name of an operator, with its prefix and suffix.
func parseOperator(where, name string) (condition, error) {
	d := condition{operator: name, ifExists: strings.HasSuffix(name, ifExistsSuffix)}
	switch {
	case strings.HasPrefix(name, forAnyValuePrefix):
		d.quantifier = forAnyValue
	case strings.HasPrefix(name, forAllValuesPrefix):
		d.quantifier = forAllValues
	}
	base := baseOperator(name)
	if base == "Null" && name != base {
		return condition{}, malformed(where, "the operator Null has neither prefix nor suffix")
	}
	known, ok := operatorOf(base)
	if !ok && base != "Null" {
		return condition{}, malformed(where, "%q is not a condition operator", name)
	}
	d.negated = known.negated
	return d, nil
}

// baseOperator returns "StringLike" for "ForAnyValue:StringLikeIfExists".
func baseOperator(name string) string {
	name = strings.TrimSuffix(name, ifExistsSuffix)
	if base, ok := strings.CutPrefix(name, forAnyValuePrefix); ok {
		return base
	}
	return strings.TrimPrefix(name, forAllValuesPrefix)
}

// patternList matches what one of its patterns does.
type patternList []pattern

func (l patternList) match(value string, c Context) truth {
	t := no
	for i := range l {
		if t = max(t, l[i].matches(value, c)); t == yes {
			break
		}
	}
	return t
}

// patterns compiles values into patterns of a form.
func patterns(form pattern, wildcards bool) compiler {
	return func(values []node, variables bool) (matcher, error) {
		l := make(patternList, 0, len(values))
		for _, n := range values {
			if form.arn {
				if err := checkARNPattern(&n); err != nil {
					return nil, err
				}
			}
			p, err := newPattern(n, syntax{wildcards: wildcards, variables: variables})
			if err != nil {
				return nil, err
			}
			p.fold, p.arn = form.fold, form.arn
			l = append(l, p)
		}
		return slices.Clip(l), nil
	}
}

// checkARNPattern refuses what no ARN matches. "*" becomes the pattern of every ARN,
// and a value with variables is left for when they have values.
func checkARNPattern(n *node) error {
	if n.text == "*" {
		n.text = "*:*:*:*:*:*"
	}
	if strings.Contains(n.text, "${") || strings.Count(n.text, ":") >= 5 {
		return nil
	}
	return malformed(n.where, "%q is not an ARN: it has fewer than six segments", n.text)
}
