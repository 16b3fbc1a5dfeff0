package hsmpool

import (
	"context"
	"errors"
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

// abilities is what a token can do, once that is known.
type abilities struct {
	known atomic.Pointer[[]Capability]
	turn  chan struct{} // held by the one who finds it out
}

// Capabilities returns what the token can do with keys of each type. The first call has the
// token tested, with keys of a session, which takes some seconds and leaves HSM entries; it
// is done once in the life of a pool, also if its workers are replaced. All callers wait for
// it.
func (p *Pool) Capabilities(ctx context.Context) ([]Capability, error) {
	if known := p.abilities.known.Load(); known != nil {
		return slices.Clone(*known), nil
	}
	select {
	case p.abilities.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, p.member.refusal(&order{}, ctx.Err())
	}
	defer func() { <-p.abilities.turn }()
	if known := p.abilities.known.Load(); known != nil {
		return slices.Clone(*known), nil
	}
	found, err := p.selfTest(ctx)
	if err != nil {
		return nil, err
	}
	p.abilities.known.Store(&found)
	return slices.Clone(found), nil
}

func (p *Pool) selfTest(ctx context.Context) ([]Capability, error) {
	reply, _, err := p.run(ctx, &order{repeat: true, recorded: true, message: &workerv1.ToWorker{
		Request: &workerv1.ToWorker_SelfTest{SelfTest: &workerv1.SelfTestRequest{}},
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

// can returns nil if the token has one of the capabilities that match, and otherwise an
// Error of class Unsupported that says why it has none.
func (p *Pool) can(ctx context.Context, id ObjectID, match func(Capability) bool) error {
	all, err := p.Capabilities(ctx)
	if err != nil {
		return err
	}
	why := "no HSM does that"
	for _, c := range all {
		switch {
		case !match(c):
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
