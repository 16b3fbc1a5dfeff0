package policy

// truth is an answer of Kleene's three-valued logic, in ascending order: "and" is
// min, "or" is max. unknown is for what a request does not tell: the value of a
// variable, or the number that a value that is no number stands for.
type truth int8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// negatedIf returns t, or its negation, which of unknown is unknown.
func (t truth) negatedIf(negate bool) truth {
	if negate {
		return yes - t
	}
	return t
}
