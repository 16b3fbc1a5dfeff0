package reliability

import (
	"errors"
	"slices"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 20: what AWS documents that CloudHSM refuses: sessions that only read, callbacks, calls
// in the wrong order, buffers of more than 16 KB, its own IVs. The profile does nothing of it.
func TestRow20WhatCloudHSMRefuses(t *testing.T) {
	row{
		world: options{
			profile: "cloudhsm", label: "hsm1", prepare: (*world).asCloudHSM, impaired: true,
			faults: []faultp11.Fault{faultp11.CloudHSM()},
		},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return served(err)
			}
			signer, err := w.newSigner()
			if err != nil {
				return served(err)
			}
			clients := w.load(8, func() error { return errors.Join(w.use(key), w.sign(signer)) })
			if err := firstOf(clients.more(50), clients.stopServed()); err != nil {
				return err
			}
			return w.unremarked()
		},
		without: []needed{{defence.ReadWrite, errFailed}},
	}.test(t)
}

// unremarked wants the library to have had nothing to say of the calls that it was given.
func (w *world) unremarked() error {
	calls, err := w.calls()
	if err != nil {
		return err
	}
	for _, c := range calls {
		other := slices.DeleteFunc(slices.Clone(c.Remarks), func(r string) bool { return r == "length-only" || r == "struck" })
		if len(other) > 0 {
			return broken(errMet, "%s: %v %v", c.Function, c.RV, other)
		}
	}
	return nil
}
