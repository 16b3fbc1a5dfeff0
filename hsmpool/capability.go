package hsmpool

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// Capability is one thing that a token can do, or not.
type Capability struct {
	Type KeyType
	// Use is zero for KeyPair.
	Use       Use
	Algorithm Algorithm
	// Mechanism is PKCS#11's name of what it is done by, e.g. "CKM_RSA_PKCS_OAEP".
	Mechanism string
	// Means says where it is done: one of MeansToken, MeansTokenAndWorker, MeansWorkerMemory.
	Means string
	// Missing says why the token cannot do it, and names the mechanism and the return code;
	// empty if it can.
	Missing string
}

// The values of Capability.Means.
const (
	// MeansToken: all of it in the token.
	MeansToken = string(kind.InToken)
	// MeansTokenAndWorker: what needs the key in the token, the rest in the worker's memory,
	// e.g. raw RSA and the removal of the padding.
	MeansTokenAndWorker = string(kind.WithWorker)
	// MeansWorkerMemory: key material passes through the worker's memory.
	MeansWorkerMemory = string(kind.ThroughWorker)
)

// abilities is what a token can do with keys of the types that have been tried.
type abilities struct {
	known atomic.Pointer[map[KeyType][]Capability] // replaced, never changed
	turn  chan struct{}                            // held by the one who tries
}

func newAbilities() *abilities {
	a := &abilities{turn: make(chan struct{}, 1)}
	a.known.Store(&map[KeyType][]Capability{})
	return a
}

// of returns what is known of key types, and those of which nothing is.
func (a *abilities) of(types []KeyType) (found []Capability, untried []KeyType) {
	known := *a.known.Load()
	for _, t := range types {
		if of, ok := known[t]; ok {
			found = append(found, of...)
		} else {
			untried = append(untried, t)
		}
	}
	return found, untried
}

// learn adds what was found of key types. Its caller has the turn.
func (a *abilities) learn(types []KeyType, found []Capability) {
	known := maps.Clone(*a.known.Load())
	for _, t := range types {
		known[t] = nil // also if nothing was found
	}
	for _, c := range found {
		known[c.Type] = append(known[c.Type], c)
	}
	a.known.Store(&known)
}

// Capabilities returns what the token can do with keys of each type. The first call has the
// token tested, with keys of a session, which takes some seconds and leaves HSM entries; it
// is done once in the life of a pool, also if its workers are replaced. All callers wait for
// it.
func (p *Pool) Capabilities(ctx context.Context) ([]Capability, error) {
	return p.capabilities(ctx, kind.KeyTypes()...)
}

func (p *Pool) capabilities(ctx context.Context, types ...KeyType) ([]Capability, error) {
	if found, untried := p.abilities.of(types); len(untried) == 0 {
		return found, nil
	}
	select {
	case p.abilities.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, p.refusal(&order{}, ctx.Err())
	}
	defer func() { <-p.abilities.turn }()
	if _, untried := p.abilities.of(types); len(untried) > 0 {
		found, err := p.selfTest(ctx, untried)
		if err != nil {
			return nil, err
		}
		p.abilities.learn(untried, found)
	}
	found, _ := p.abilities.of(types)
	return found, nil
}

// triedTogether returns the key types that are tried with one key: RSA keys of all sizes.
func triedTogether(t KeyType) []KeyType {
	if rsa := []KeyType{RSA2048, RSA3072, RSA4096}; slices.Contains(rsa, t) {
		return rsa
	}
	return []KeyType{t}
}

func (p *Pool) selfTest(ctx context.Context, types []KeyType) ([]Capability, error) {
	request := &workerv1.SelfTestRequest{}
	for _, t := range types {
		request.KeyTypes = append(request.KeyTypes, uint32(t))
	}
	reply, _, err := p.run(ctx, &order{repeat: true, recorded: true, message: &workerv1.ToWorker{
		Request: &workerv1.ToWorker_SelfTest{SelfTest: request},
	}})
	if err != nil {
		return nil, err
	}
	found := make([]Capability, len(reply.GetCapabilities()))
	for i, c := range reply.GetCapabilities() {
		found[i] = Capability{
			Type: KeyType(c.GetKeyType()), Use: Use(c.GetUse()), Algorithm: Algorithm(c.GetAlgorithm()),
			Mechanism: c.GetMechanism(), Means: c.GetMeans(), Missing: c.GetMissing(),
		}
	}
	return found, nil
}

// can returns nil if the token can do something with keys of a type, and otherwise an Error
// of class Unsupported that says why not. It waits for the test of that type only.
func (p *Pool) can(ctx context.Context, id ObjectID, t KeyType, match func(Capability) bool) error {
	all, err := p.capabilities(ctx, triedTogether(t)...)
	if err != nil {
		return err
	}
	why := "no HSM does that"
	for _, c := range all {
		switch {
		case c.Type != t || !match(c):
		case c.Missing == "":
			return nil
		default:
			why = c.Missing
		}
	}
	e := p.internal(id, errors.New(why))
	e.Class = Unsupported
	return e
}
