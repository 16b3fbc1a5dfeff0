package hsmpool

import (
	"context"
	"errors"
)

// Capability is one thing that a token can do, or not.
type Capability struct {
	Type      KeyType
	Use       Use
	Algorithm Algorithm
	// Mechanism is PKCS#11's name of what it is done by, e.g. "CKM_RSA_PKCS_OAEP".
	Mechanism string
	// Means says where it is done: one of MeansToken, MeansTokenAndWorker, MeansWorkerMemory.
	Means string
	// Missing says why the token cannot do it; empty if it can.
	Missing string
}

// The values of Capability.Means.
const (
	// MeansToken: all of it in the token.
	MeansToken = "token"
	// MeansTokenAndWorker: the part that needs the key in the token, the rest in the
	// worker's memory, e.g. raw RSA and the removal of the padding.
	MeansTokenAndWorker = "token and worker"
	// MeansWorkerMemory: key material passes through the worker's memory.
	MeansWorkerMemory = "worker memory"
)

// Capabilities returns what the token can do with keys of each type. It waits for the
// self-test of the pool's first worker.
func (p *Pool) Capabilities(context.Context) ([]Capability, error) {
	return nil, p.unsupported(ObjectID{}, errors.New("capabilities are not known"))
}

// unsupported is the failure of what the token cannot do.
func (p *Pool) unsupported(id ObjectID, err error) *Error {
	e := p.internal(id, err)
	e.Class = Unsupported
	return e
}
