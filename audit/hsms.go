package audit

import (
	"maps"
	"slices"
)

// HSMs returns the ids of the HSMs that the trail of HSM entries has a log of, in
// order: also of those that are gone.
func (t *Trail) HSMs() []string {
	return slices.Sorted(maps.Keys(t.state.snapshot().HSMs))
}
