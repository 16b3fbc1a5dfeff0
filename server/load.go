package server

import (
	"path"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
)

// Load is how busy a server is.
type Load struct {
	// InFlight counts the requests that are worked on, of all front ends; there can be
	// MaxInFlight. Streams counts the open streams of the operator service, which have places
	// of their own.
	InFlight, MaxInFlight, Streams int
	// Connections counts the open connections of gRPC clients; there can be MaxConnections.
	Connections, MaxConnections int
	// RefusedConnections counts those that were closed because there were too many.
	RefusedConnections int64
}

// Load tells how busy the server is. It may be called by many goroutines, and answers at
// once.
func (s *Server) Load() Load {
	return Load{
		InFlight: s.admission.requests.inUse(), MaxInFlight: s.admission.requests.limit,
		Streams:     s.admission.following.inUse(),
		Connections: int(s.overload.open.Load()), MaxConnections: s.maxConnections,
		RefusedConnections: s.overload.connections.Load(),
	}
}

// observe tells the observer of a request that is refused without an event: too many are,
// or nobody knows whose it is.
func (a *admission) observe(method, frontEnd string, kind keystore.Kind) {
	if a.observer == nil || isInfrastructure(method) {
		return
	}
	refused := keystore.Answered{FrontEnd: frontEnd, Error: describe.ErrorOf(kind).Name}
	if _, known := a.streaming[method]; known { // others are of the caller's choice
		refused.Operation = path.Base(method)
	}
	a.observer.Answered(refused)
}
