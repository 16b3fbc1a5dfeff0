package policy

import "slices"

// granteeIndex has the grants of one grantee.
type granteeIndex struct {
	// size counts the grants, with those that no request can meet, which are
	// nowhere below.
	size int
	// always has what is allowed whatever the encryption context: grants without
	// constraints, and operations that have no context.
	always byOperation
	// byContext has the others.
	byContext contextNode
}

func (x *granteeIndex) add(g *Grant) {
	x.size++
	path, exact, possible := g.path()
	for _, operation := range g.Operations {
		switch {
		case !g.constrained() || !takesContext(operation):
			x.always.add(operation, g)
		case possible:
			x.byContext.add(path, exact, operation, g)
		}
	}
}

func (x *granteeIndex) remove(g *Grant) {
	x.size--
	path, exact, possible := g.path()
	for _, operation := range g.Operations {
		switch {
		case !g.constrained() || !takesContext(operation):
			x.always.remove(operation, g)
		case possible:
			x.byContext.remove(path, exact, operation, g)
		}
	}
}

// find returns a grant that allows the operation, or nil.
func (x *granteeIndex) find(operation string, context map[string]string) *Grant {
	if x == nil {
		return nil
	}
	if g := x.always.first(operation); g != nil || !takesContext(operation) {
		return g
	}
	return x.byContext.find(operation, context, len(context))
}

// byOperation has grants of the same constraints. There are 17 operations at most,
// for which a list is smaller than a map, and as fast.
type byOperation []operationGrants

type operationGrants struct {
	operation string
	grants    []*Grant // in the order in which they were added; never empty
}

func (b byOperation) at(operation string) int {
	return slices.IndexFunc(b, func(o operationGrants) bool { return o.operation == operation })
}

func (b byOperation) first(operation string) *Grant {
	for i := range b {
		if b[i].operation == operation {
			return b[i].grants[0]
		}
	}
	return nil
}

func (b *byOperation) add(operation string, g *Grant) {
	if i := b.at(operation); i >= 0 {
		(*b)[i].grants = append((*b)[i].grants, g)
		return
	}
	*b = append(*b, operationGrants{operation, []*Grant{g}})
}

func (b *byOperation) remove(operation string, g *Grant) {
	i := b.at(operation)
	if i < 0 {
		return
	}
	o := &(*b)[i]
	if at := slices.Index(o.grants, g); at >= 0 {
		o.grants = slices.Delete(o.grants, at, at+1)
	}
	if len(o.grants) == 0 {
		*b = slices.Delete(*b, i, i+1)
	}
}
