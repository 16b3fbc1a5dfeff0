package policy

import (
	"hash/maphash"
	"maps"
	"slices"
)

// grantIndex has the grants of one grantee for one operation.
type grantIndex struct {
	constrained bool // the operation has an encryption context
	seed        maphash.Seed
	// equals has the grants with Equals, by the hash of that context.
	equals map[uint64][]*Grant
	// subsets has the others. A grant without constraints is one of the empty
	// subset.
	subsets subsetNode
}

func newGrantIndex(constrained bool) *grantIndex {
	return &grantIndex{constrained: constrained, seed: maphash.MakeSeed(), equals: make(map[uint64][]*Grant)}
}

func (x *grantIndex) add(g *Grant) {
	switch {
	case !x.constrained:
		x.subsets.add(nil, g)
	case len(g.Equals) == 0:
		x.subsets.add(sortedPairs(g.Subset), g)
	default:
		h := x.hash(g.Equals)
		x.equals[h] = append(x.equals[h], g)
	}
}

func (x *grantIndex) remove(g *Grant) {
	switch {
	case !x.constrained:
		x.subsets.remove(nil, g)
	case len(g.Equals) == 0:
		x.subsets.remove(sortedPairs(g.Subset), g)
	default:
		h := x.hash(g.Equals)
		if x.equals[h] = without(x.equals[h], g); len(x.equals[h]) == 0 {
			delete(x.equals, h)
		}
	}
}

func (x *grantIndex) empty() bool { return len(x.equals) == 0 && x.subsets.empty() }

// find returns a grant whose constraints the context meets, or nil.
func (x *grantIndex) find(context map[string]string) *Grant {
	if x == nil {
		return nil
	}
	if !x.constrained {
		context = nil
	}
	if len(x.equals) > 0 && len(context) > 0 {
		for _, g := range x.equals[x.hash(context)] {
			if maps.Equal(g.Equals, context) {
				return g
			}
		}
	}
	return x.subsets.find(context)
}

// hash is the same for the same pairs in any order.
func (x *grantIndex) hash(context map[string]string) uint64 {
	var sum uint64
	for k, v := range context {
		sum += maphash.Comparable(x.seed, pair{k, v})
	}
	return sum
}

// pair is one of an encryption context.
type pair struct{ key, value string }

// subsetNode is a node of a trie in which the path to a grant is its subset, in the
// order of its keys. A request visits only the nodes whose path is part of its
// context.
type subsetNode struct {
	grants   []*Grant
	children map[pair]*subsetNode
}

func (n *subsetNode) add(path []pair, g *Grant) {
	if len(path) == 0 {
		n.grants = append(n.grants, g)
		return
	}
	child := n.children[path[0]]
	if child == nil {
		child = new(subsetNode)
		if n.children == nil {
			n.children = make(map[pair]*subsetNode)
		}
		n.children[path[0]] = child
	}
	child.add(path[1:], g)
}

func (n *subsetNode) remove(path []pair, g *Grant) {
	if len(path) == 0 {
		n.grants = without(n.grants, g)
		return
	}
	if child := n.children[path[0]]; child != nil {
		if child.remove(path[1:], g); child.empty() {
			delete(n.children, path[0])
		}
	}
}

func (n *subsetNode) empty() bool { return len(n.grants) == 0 && len(n.children) == 0 }

// find returns a grant whose path is part of the context.
func (n *subsetNode) find(context map[string]string) *Grant {
	if len(n.grants) > 0 {
		return n.grants[0]
	}
	if len(n.children) == 0 {
		return nil
	}
	for k, v := range context {
		if child := n.children[pair{k, v}]; child != nil {
			if g := child.find(context); g != nil {
				return g
			}
		}
	}
	return nil
}

func sortedPairs(m map[string]string) []pair {
	var pairs []pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, pair{k, m[k]})
	}
	return pairs
}

func isSubset(part, whole map[string]string) bool {
	for k, v := range part {
		if w, ok := whole[k]; !ok || w != v {
			return false
		}
	}
	return true
}

func without(grants []*Grant, g *Grant) []*Grant {
	return slices.DeleteFunc(grants, func(other *Grant) bool { return other == g })
}
