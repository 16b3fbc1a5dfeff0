//go:build cgo

package worker

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// selfTest tries every algorithm of some key types with a key of the session: mechanism lists do not tell
// hashes, parameters and derivation functions. Of RSA keys only the shortest is made; what
// holds for it holds for the sizes that the mechanisms' ranges allow.
func (k *maker) selfTest(r *workerv1.SelfTestRequest, requestID string) *workerv1.Reply {
	have, err := k.token.mechanisms()
	if err != nil {
		return failed(judge(k.token.profile.name, "C_GetMechanismList", err, "listing the mechanisms"))
	}
	p := &probe{maker: k, bag: &bag{executor: k.executor, requestID: requestID}, have: have}
	reply := &workerv1.Reply{Function: "C_GetMechanismInfo"}
	for _, t := range r.GetKeyTypes() {
		if err := p.tryType(kind.KeyType(t)); err != nil {
			return failed(err)
		}
	}
	reply.Capabilities = p.found
	return reply
}

// mechanisms returns the sizes of keys that each of the token's mechanisms is for.
func (t *token) mechanisms() (map[uint]pkcs11.MechanismInfo, error) {
	list, err := t.ctx.GetMechanismList(t.slot)
	if err != nil {
		return nil, err
	}
	have := make(map[uint]pkcs11.MechanismInfo, len(list))
	for _, m := range list {
		if info, err := t.ctx.GetMechanismInfo(t.slot, []*pkcs11.Mechanism{m}); err == nil {
			have[m.Mechanism] = info
		}
	}
	return have, nil
}

// probe is a self-test under way.
type probe struct {
	*maker
	bag   *bag
	have  map[uint]pkcs11.MechanismInfo
	found []*workerv1.Capability

	spec spec
	key  made // of the spec, once it was made
	spki []byte
}

// trial is one algorithm to be tried.
type trial struct {
	use       kind.Use
	algorithm kind.Algorithm
	by        mechanism
	// try returns where the algorithm was carried out.
	try func(*probe) (kind.Means, error)
}

// tryType tries the algorithms of a key type. Its error means that nothing is known.
func (p *probe) tryType(t kind.KeyType) error {
	p.lane.begin()
	var err error
	if p.spec, err = specOf(t); err != nil {
		return internal(err)
	}
	for _, c := range trials(p.spec, p.token.wrapsTwice(), p.token.profile.keyWrap) {
		means, missing, err := p.attempt(c)
		if err != nil {
			return err
		}
		p.found = append(p.found, &workerv1.Capability{
			KeyType: uint32(t), Use: uint32(c.use), Algorithm: string(c.algorithm),
			Mechanism: c.by.name, Means: string(means), Missing: missing,
		})
	}
	return p.forget()
}

// attempt returns why an algorithm is missing; "" if it works.
func (p *probe) attempt(c trial) (means kind.Means, missing string, err error) {
	for _, m := range []mechanism{p.spec.by, c.by} {
		if missing := p.lacks(m); missing != "" {
			return "", missing, nil
		}
	}
	if twin := p.twin(c); twin != nil {
		return kind.Means(twin.GetMeans()), twin.GetMissing(), nil
	}
	for again := true; ; again = false {
		if means, err = p.tryOnce(c); err == nil {
			return means, "", nil
		}
		missing, kept, err := p.verdict(c, err, again)
		if err != nil || kept || !again {
			return "", missing, err
		}
	}
}

// tryOnce tries an algorithm, with the key of the spec, which it makes if there is none.
func (p *probe) tryOnce(c trial) (means kind.Means, err error) {
	if p.key.key == 0 {
		if p.key, err = p.bag.generate(p.spec, p.spec.trialTemplate()); err != nil {
			return "", err
		}
		if p.spec.pair() {
			p.spki, err = p.token.readPublic(p.session, p.spec, p.key.public)
		}
	}
	if err != nil {
		return "", err
	}
	return c.try(p)
}

// verdict says why an algorithm is missing, after a failure; kept: and trying again is no
// use. It fails if the failure tells nothing of the token's abilities.
func (p *probe) verdict(c trial, err error, again bool) (missing string, kept bool, _ error) {
	var op *opError
	if !errors.As(err, &op) {
		var f *fault
		if errors.As(err, &f) && f.restart {
			return "", false, err
		}
		return c.by.name + ": " + err.Error(), true, nil
	}
	f, fate := faultOf(p.token.profile.name, op.result(), "trying "+c.by.name)
	missing = fmt.Sprintf("%s: %s answers %s", c.by.name, f.function, f.rv)
	if fate == ckr.Keep {
		return missing, true, nil
	}
	if f.restart {
		return "", false, f
	}
	p.bag.handles, p.key = nil, made{} // gone with the session
	err = p.renew()
	if err == nil && !again && f.class == workerv1.FailureClass_FAILURE_CLASS_BUSY {
		err = f
	}
	return missing, false, err
}

// forget destroys the key of the spec.
func (p *probe) forget() error {
	p.key, p.spki = made{}, nil
	err := p.bag.empty(nil)
	var op *opError
	if errors.As(err, &op) {
		f, _ := faultOf(p.token.profile.name, op.result(), "destroying a key of the self-test")
		return f
	}
	return err
}

// lacks says why a mechanism is not for keys of the spec; "" if it is.
func (p *probe) lacks(m mechanism) string {
	info, ok := p.have[m.kind]
	switch bits := p.spec.bits; {
	case !ok:
		return "the token has no " + m.name
	case bits > 0 && m.kind != p.token.profile.keyWrap.kind && (bits < info.MinKeySize || bits > info.MaxKeySize):
		return fmt.Sprintf("the token's %s is for keys of %d to %d bits", m.name, info.MinKeySize, info.MaxKeySize)
	}
	return ""
}

// twin returns what was found of the same algorithm with a shorter RSA key.
func (p *probe) twin(c trial) *workerv1.Capability {
	if p.spec.bits == 0 {
		return nil
	}
	for _, found := range p.found {
		if found.GetAlgorithm() == string(c.algorithm) && found.GetUse() == uint32(c.use) && isRSA(kind.KeyType(found.GetKeyType())) {
			return found
		}
	}
	return nil
}

func isRSA(t kind.KeyType) bool { return t >= kind.RSA2048 && t <= kind.RSA4096 }
