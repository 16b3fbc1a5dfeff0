package reliability

import (
	"errors"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 11: a call fails between C_EncryptInit and its end, and leaves the operation active
// in its session. Nobody else may meet it there.
func TestRow11OperationLeftActive(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			for _, rv := range []ckr.RV{ckr.DataLenRange, ckr.FunctionFailed, ckr.GeneralError} {
				if err := w.hsms[0].faults.Set(faultp11.Fail("C_Encrypt", rv).Times(1)); err != nil {
					return err
				}
				var own *refusal
				if _, err := w.encrypt(key); err != nil && !errors.As(err, &own) {
					return err
				}
				w.logf("C_Encrypt answered %v: %v", rv, own)
				if err := firstOf(served(w.use(key)), w.unmet(ckr.OperationActive)); err != nil {
					return err
				}
			}
			return w.unharmed()
		},
		without: []needed{{defence.FreshSession, errMet}},
	}.test(t)
}
