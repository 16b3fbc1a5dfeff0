package reliability

import (
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 19: the token ignores the IV that it is given and writes its own, when the operation
// begins or when it ends. What is stored is the one that it has used.
func TestRow19OwnIV(t *testing.T) {
	for when, iv := range map[string]faultp11.Fault{"when it begins": faultp11.OwnIV(), "when it ends": faultp11.LateIV()} {
		t.Run(when, func(t *testing.T) {
			row{
				world: options{faults: []faultp11.Fault{iv}},
				scenario: func(w *world) error {
					key, err := w.newKey()
					if err != nil {
						return served(err)
					}
					for range 10 {
						if err := served(w.use(key)); err != nil {
							return err
						}
					}
					return nil
				},
				without: []needed{{defence.IVReadBack, errFailed}},
			}.test(t)
		})
	}
}

// Row 19: the token keeps the IV to itself. Nothing is acknowledged that nobody can decrypt.
func TestRow19LostIV(t *testing.T) {
	row{
		world: options{faults: []faultp11.Fault{faultp11.LostIV()}},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if _, err := w.encrypt(key); err == nil {
				return broken(errAccepted, "a ciphertext was given out that nobody can decrypt")
			}
			return w.logged("IV")
		},
	}.test(t)
}
