package reliability

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 18: the token refuses a template and makes the key all the same; and another time it
// takes the worker with it. What is left is found and destroyed.
func TestRow18KeyLeftByARefusal(t *testing.T) {
	row{
		scenario: func(w *world) error {
			for _, left := range []faultp11.Fault{
				faultp11.Fail("C_GenerateKey", ckr.AttributeValueInvalid),
				faultp11.Fail("C_GenerateKey", ckr.TemplateInconsistent),
				faultp11.Fail("C_GenerateKey", ckr.DeviceError),
			} {
				if err := w.hsms[0].faults.Set(left.Kept().Times(1)); err != nil {
					return err
				}
				if _, err := w.newKey(); err == nil {
					return broken(errAccepted, "a key was made that the token had refused")
				}
				if err := w.noObjects(); err != nil {
					return err
				}
			}
			return w.makesKeys()
		},
		without: []needed{{defence.OrphanHunt, errUnbounded}},
	}.test(t)
}

// noObjects waits until there are no keys in the token.
func (w *world) noObjects() error {
	return w.awaits(errUnbounded, func(context.Context) error {
		found, err := filepath.Glob(filepath.Join(w.site.Token.Store, "*", "*.object"))
		if err == nil && len(found) > 1 { // one is the token's own
			err = fmt.Errorf("%d keys that nobody knows are in the token", len(found)-1)
		}
		return err
	})
}
