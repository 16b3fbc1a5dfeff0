package hsmpool

import (
	"slices"
	"testing"
)

// TestAMemberThatStartsIsToldOfGraves destroys keys before, during and after its start.
func TestAMemberThatStartsIsToldOfGraves(t *testing.T) {
	g, id := graves{}, func(n byte) ObjectID { return ObjectID{n} }
	g.add(id(1))
	other := g.mark()
	g.add(id(2))
	since := g.mark()
	g.add(id(3))
	g.add(id(4))
	var told []ObjectID
	serving := 0
	g.publish(since, func(gone ObjectID) {
		if told = append(told, gone); gone == id(3) {
			g.add(id(5)) // meanwhile
		}
	}, func() { serving++ })
	if want := []ObjectID{id(3), id(4), id(5)}; !slices.Equal(told, want) || serving != 1 {
		t.Errorf("told of %v, want %v; serving %d", told, want, serving)
	}
	told = nil
	g.publish(other, func(gone ObjectID) { told = append(told, gone) }, func() { serving++ })
	if want := []ObjectID{id(2), id(3), id(4), id(5)}; !slices.Equal(told, want) || serving != 2 {
		t.Errorf("the other is told of %v, want %v; serving %d", told, want, serving)
	}
	g.add(id(6))
	if since = g.mark(); len(g.ids) != 0 {
		t.Errorf("%v are remembered for nobody", g.ids)
	}
	g.unmark()
	if g.starting != 0 {
		t.Errorf("%d members are still starting", g.starting)
	}
	told = nil
	g.publish(g.mark(), func(gone ObjectID) { told = append(told, gone) }, func() {})
	if len(told) != 0 || since != 6 {
		t.Errorf("a later start is told of %v; mark %d", told, since)
	}
}
