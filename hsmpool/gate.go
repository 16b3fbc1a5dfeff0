package hsmpool

import (
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

// shrinkEvery is the least time between two reductions of a gate: the refusals of one
// moment say the same thing.
const shrinkEvery = 200 * time.Millisecond

// gate bounds the requests that are at an HSM at the same time. An HSM that says that
// it is busy gets half as many; each one that it then answers raises the bound again, by
// one place for a whole round of them. It is not safe for concurrent use.
type gate struct {
	most   float64 // places at best
	places float64 // places now, 1 to most
	inside int
	shrunk time.Time
}

func newGate(most int) gate { return gate{most: float64(most), places: float64(most)} }

// free tells whether there is a place.
func (g *gate) free() bool { return g.inside < int(g.places) }

// leave frees a place. It tells whether the bound was lowered.
func (g *gate) leave(now time.Time, v verdict) (lowered bool) {
	g.inside--
	switch {
	case v == good:
		g.places = min(g.most, g.places+1/g.places)
	case v == busy && now.Sub(g.shrunk) >= shrinkEvery && defence.On(defence.Restraint):
		g.places = max(1, g.places/2)
		g.shrunk = now
		return true
	}
	return false
}
