package server

import (
	"context"
	"errors"
	"time"
)

// errDraining is why streams end when the server stops.
var errDraining = errors.New("the server is shutting down")

// farewell is how long health and reflection streams live on when the server
// stops, for those who watch health to hear of it.
const farewell = 250 * time.Millisecond

// drain ends streams when the server stops. A stream that follows a trail or
// watches health would otherwise hold up the end for ever; its client
// reconnects.
type drain struct {
	stopping context.Context
	stop     context.CancelFunc
}

func newDrain() *drain {
	ctx, stop := context.WithCancel(context.Background())
	return &drain{stopping: ctx, stop: stop}
}

// ends ends a stream when the server stops, unless the function that it returns
// is called before. The operator's streams see the end of their context between
// two answers, and say why they end; gRPC's own wait for their client and are
// ended by way of the transport.
func (d *drain) ends(s *timedStream, method string) (unless func() bool) {
	if !isInfrastructure(method) {
		return context.AfterFunc(d.stopping, func() { s.end(errDraining) })
	}
	return context.AfterFunc(d.stopping, func() {
		time.AfterFunc(farewell, func() { s.arrival.end(errDraining) })
	})
}
