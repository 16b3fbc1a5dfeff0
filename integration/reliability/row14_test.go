package reliability

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Row 14: slots have other numbers, another order and placeholders among them, and a second
// token of the same label is made, while the server runs. It stays with its own.
func TestRow14SlotsChange(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := served(w.use(key)); err != nil {
				return err
			}
			for i, change := range []faultp11.Arrangement{{Extra: 2}, {Reverse: true, Shift: 7}, {Reverse: true, Extra: 1}} {
				if i == 1 {
					if err := w.secondToken(); err != nil {
						return err
					}
				}
				if err := w.hsms[0].faults.Set(faultp11.Slots(change)); err != nil {
					return err
				}
				if err := w.killWorker(w.hsms[0]); err != nil {
					return err
				}
				if err := w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) }); err != nil {
					return err
				}
			}
			return w.unmet(ckr.PINIncorrect) // the second token has another PIN
		},
	}.test(t)
}

// Row 14: when a server starts there are two tokens of the label that was configured. None
// of them is taken, or given the PIN.
func TestRow14TwoTokensOfOneLabel(t *testing.T) {
	row{
		world: options{impaired: true, prepare: (*world).secondToken},
		scenario: func(w *world) error {
			if err := firstOf(w.untaken(), w.healthy(false)); err != nil {
				return err
			}
			return w.logged("2 tokens have label", "want exactly one")
		},
		without: []needed{{defence.OneToken, errAccepted}},
	}.test(t)
}

// untaken wants no token to be logged in to once one was looked for.
func (w *world) untaken() error {
	err := w.awaits(errUntold, func(context.Context) error { return w.happened("C_GetSlotList", ckr.OK) })
	if err != nil {
		return err
	}
	w.pause(300 * time.Millisecond) // a login would have come by now
	return w.never("C_Login")
}

// secondToken makes another token of the same label, with another PIN.
func (w *world) secondToken() error {
	cmd := exec.CommandContext(w.ctx, "softhsm2-util", "--init-token", "--free",
		"--label", harness.TokenLabel, "--pin", rand.Text(), "--so-pin", rand.Text())
	cmd.Env = w.site.Token.Env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making a second token: %w: %s", err, out)
	}
	return nil
}
