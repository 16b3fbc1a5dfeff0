package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type hsmUnlockCheckCmd struct {
	HSMID            string `name:"hsm-id" placeholder:"ID" help:"The HSM to look at. Default: every one that is stopped."`
	CustomKeyStoreID string `name:"custom-key-store-id" placeholder:"ID" help:"The custom key store whose HSMs to look at, also if it could not be connected."`
	output
	connection
}

// Help is part of kong's HelpProvider.
func (*hsmUnlockCheckCmd) Help() string {
	return `An HSM locks its user after a few wrong PINs. So the server does not try a PIN again that the HSM
has refused, and stops. Correct the PIN first, where the server reads it or at the HSM, and have
the user unlocked there if it is locked. Then this command looks, without a login, at what the
token says of its PIN. If that allows a login, the PINs that were refused are forgotten, the HSM is
started again, and its PIN is tried once. The exit status is 3 if one that was looked at was not
started: because its token does not allow it, because it is not stopped, or because its custom key
store has yet to be connected. The last column says why.

Example:

    strongroom hsm unlock-check`
}

// Run has the server look, and prints what it found.
func (c *hsmUnlockCheckCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.Operator.CheckHsmUnlock(ctx, c.request())
		if err != nil {
			return err
		}
		if err := c.print(p, answer, func(w io.Writer) error { return unlockTable(w, answer.GetChecks()) }); err != nil {
			return err
		}
		for _, check := range answer.GetChecks() {
			if !check.GetStarted() {
				return exitCode(exitOperator)
			}
		}
		return nil
	})
}

func (c *hsmUnlockCheckCmd) request() *operatorv1.CheckHsmUnlockRequest {
	request := new(operatorv1.CheckHsmUnlockRequest)
	if c.HSMID != "" {
		request.HsmId = &c.HSMID
	}
	if c.CustomKeyStoreID != "" {
		request.CustomKeyStoreId = &c.CustomKeyStoreID
	}
	return request
}

func unlockTable(w io.Writer, checks []*operatorv1.HsmUnlockCheck) error {
	if len(checks) == 0 {
		_, err := fmt.Fprintln(w, "No HSM is stopped.")
		return err
	}
	rows := make([][]string, len(checks))
	for i, c := range checks {
		rows[i] = []string{
			c.GetHsmId(), words(c.GetTokenLabel(), "serial", c.GetTokenSerial()), c.GetPinState(),
			strconv.FormatBool(c.GetStarted()), orDash(c.GetReason()),
		}
	}
	return present.Table(w, []string{"HSM", "TOKEN", "USER PIN", "STARTED", "WHY NOT"}, rows)
}
