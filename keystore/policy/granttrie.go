package policy

import "slices"

// contextNode is a node of a trie in which the path to a grant is the pairs that its
// constraints ask for, in the order of their keys. A request visits no node whose
// path is not part of its encryption context.
type contextNode struct {
	// tail is the rest of the path of the grants here, until another path parts
	// from it: most constraints share no pairs, and need no nodes for them.
	tail []pair
	// exact has the grants whose path is the whole context; within those that
	// allow other pairs too.
	exact, within byOperation
	children      map[pair]*contextNode
}

func (n *contextNode) empty() bool {
	return len(n.exact) == 0 && len(n.within) == 0 && len(n.children) == 0
}

func (n *contextNode) grants(exact bool) *byOperation {
	if exact {
		return &n.exact
	}
	return &n.within
}

func (n *contextNode) add(path []pair, exact bool, operation string, g *Grant) {
	if n.empty() {
		n.tail = path
	}
	if slices.Equal(n.tail, path) {
		n.grants(exact).add(operation, g)
		return
	}
	n.split()
	if len(path) == 0 {
		n.grants(exact).add(operation, g)
		return
	}
	child := n.children[path[0]]
	if child == nil {
		child = new(contextNode)
		n.setChild(path[0], child)
	}
	child.add(path[1:], exact, operation, g)
}

// split moves the grants at the end of the tail to a child.
func (n *contextNode) split() {
	if len(n.tail) == 0 {
		return
	}
	child := &contextNode{tail: n.tail[1:], exact: n.exact, within: n.within}
	n.setChild(n.tail[0], child)
	n.tail, n.exact, n.within = nil, nil, nil
}

func (n *contextNode) setChild(p pair, child *contextNode) {
	if n.children == nil {
		n.children = make(map[pair]*contextNode)
	}
	n.children[p] = child
}

func (n *contextNode) remove(path []pair, exact bool, operation string, g *Grant) {
	if slices.Equal(n.tail, path) {
		n.grants(exact).remove(operation, g)
		return
	}
	child := n.children[path[0]]
	if child.remove(path[1:], exact, operation, g); child.empty() {
		delete(n.children, path[0])
	}
}

// find returns a grant whose constraints the context meets, or nil. The context has
// unnamed pairs that the path to n does not name.
func (n *contextNode) find(operation string, context map[string]string, unnamed int) *Grant {
	if len(n.tail) > unnamed || !contains(context, n.tail) {
		return nil
	}
	if g := n.within.first(operation); g != nil {
		return g
	}
	if unnamed == len(n.tail) {
		return n.exact.first(operation)
	}
	return n.findBelow(operation, context, unnamed-1)
}

// findBelow goes through the children or the context, whichever is shorter.
func (n *contextNode) findBelow(operation string, context map[string]string, unnamed int) *Grant {
	if len(n.children) <= len(context) {
		for p, child := range n.children {
			if value, ok := context[p.key]; !ok || value != p.value {
				continue
			}
			if g := child.find(operation, context, unnamed); g != nil {
				return g
			}
		}
		return nil
	}
	for key, value := range context {
		if child := n.children[pair{key, value}]; child != nil {
			if g := child.find(operation, context, unnamed); g != nil {
				return g
			}
		}
	}
	return nil
}
