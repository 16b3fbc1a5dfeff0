package reliability

import (
	"errors"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 11: a call fails between its Init function and its end, and leaves the operation
// active in its session. Nobody else may meet it there.
func TestRow11OperationLeftActive(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			signer, err := w.newSigner()
			if err != nil {
				return err
			}
			for _, fault := range []faultp11.Fault{
				faultp11.Fail("C_Encrypt", ckr.DataLenRange), faultp11.Fail("C_Encrypt", ckr.FunctionFailed),
				faultp11.Fail("C_Sign", ckr.DataLenRange), faultp11.Fail("C_Sign", ckr.GeneralError),
				faultp11.Fail("C_Decrypt", ckr.KeyTypeInconsistent),
			} {
				if err := w.leavesActive(fault.Times(1), key, signer); err != nil {
					return err
				}
			}
			return w.unharmed()
		},
		without: []needed{{defence.FreshSession, errMet}},
	}.test(t)
}

// leavesActive has a call fail, which may cost its own request, and wants all others to be
// served.
func (w *world) leavesActive(fault faultp11.Fault, key, signer string) error {
	if err := w.hsms[0].faults.Set(fault); err != nil {
		return err
	}
	var own *refusal
	for _, err := range []error{w.use(key), w.sign(signer)} {
		if err != nil && !errors.As(err, &own) {
			return err
		}
	}
	w.logf("%v: %v", fault, own)
	return firstOf(served(w.use(key)), served(w.sign(signer)), w.unmet(ckr.OperationActive))
}
