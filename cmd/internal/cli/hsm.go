package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type hsmCmd struct {
	Info    hsmInfoCmd    `cmd:"" help:"Describe the HSMs, whether they take requests, and what they can do."`
	Orphans hsmOrphansCmd `cmd:"" help:"Find keys in the HSMs without metadata, and metadata without keys."`

	UnlockCheck hsmUnlockCheckCmd `cmd:"" help:"Have HSMs that are stopped started again, if their tokens allow a login."`
}

type hsmInfoCmd struct {
	Capabilities bool `help:"Show too what each token can do and how, and what it cannot and why. The first time has the token tested."`
	output
	connection
}

// Help is part of kong's HelpProvider.
func (*hsmInfoCmd) Help() string {
	return `With --capabilities there is a line for each algorithm of each type of key, with the PKCS#11
mechanism that it needs and where it is done: in the token; in token and worker, such as raw
RSA in the token and its padding in the worker; or in worker memory, through which an imported
key then passes. The first time the server tests all of it, with keys of a session; that takes
some seconds of the token's time and leaves entries in the HSM's log: also failed ones, of what
the token cannot do.

Example:

    strongroom hsm info --capabilities`
}

// Run prints what the server knows of its HSMs.
func (c *hsmInfoCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.Operator.DescribeHsms(ctx, &operatorv1.DescribeHsmsRequest{Capabilities: &c.Capabilities})
		if err != nil {
			return err
		}
		return c.print(p, answer, func(w io.Writer) error {
			return hsmTables(w, answer.GetHsms())
		})
	})
}

func hsmTables(w io.Writer, hsms []*operatorv1.HsmDescription) error {
	for i, h := range hsms {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := present.Fields(w, hsmFields(h)); err != nil {
			return err
		}
		if err := capabilityTable(w, h.GetCapabilities()); err != nil {
			return err
		}
	}
	return nil
}

// capabilityTable prints nothing of an HSM of which nothing is known.
func capabilityTable(w io.Writer, can []*operatorv1.HsmCapability) error {
	if len(can) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	rows := make([][]string, len(can))
	for i, c := range can {
		where := c.GetMeans()
		if c.GetMissing() != "" {
			where = "no: " + c.GetMissing()
		}
		rows[i] = []string{c.GetKeyType(), orDash(c.GetUse()), c.GetAlgorithm(), c.GetMechanism(), where}
	}
	return present.Table(w, []string{"KEY TYPE", "USE", "ALGORITHM", "MECHANISM", "DONE IN"}, rows)
}

func hsmFields(h *operatorv1.HsmDescription) []present.Field {
	return []present.Field{
		{Name: "HSM", Value: h.GetHsmId()},
		{Name: "Cluster", Value: h.GetClusterId()},
		{Name: "Key store", Value: h.GetCustomKeyStoreId()},
		{Name: "State", Value: present.Enum(h.GetState())},
		{Name: "Reason", Value: h.GetReason()},
		{Name: "Warning", Value: h.GetWarning()},
		{Name: "Token", Value: words(h.GetTokenLabel(), "serial", h.GetTokenSerial())},
		{Name: "Model", Value: words(h.GetManufacturer(), h.GetModel(), "firmware", h.GetFirmwareVersion())},
		{Name: "Library", Value: words(h.GetLibraryPath(), h.GetLibraryDescription(), h.GetLibraryVersion())},
		{Name: "Profile", Value: h.GetProfile()},
		{Name: "Keys", Value: fmt.Sprint(h.GetKeys())},
		{Name: "Worker", Value: fmt.Sprintf("process %d, %s, %s in flight, %d waiting", h.GetWorkerPid(),
			present.Count(h.GetSessions(), "session", "sessions"), present.Count(h.GetInFlight(), "request", "requests"), h.GetWaiting())},
		{Name: "Ready since", Value: present.Time(h.GetReadySince())},
		{Name: "Starts", Value: fmt.Sprintf("%d in all; %s since this server started", h.GetRebootCounter(), present.Count(h.GetRestarts(), "restart", "restarts"))},
	}
}

// words joins what the token says of itself; some tokens pad it with spaces.
func words(s ...string) string { return strings.Join(strings.Fields(strings.Join(s, " ")), " ") }
