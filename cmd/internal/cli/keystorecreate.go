package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyStoreCreateCmd struct {
	Name         string `placeholder:"NAME" required:"" help:"The key store's name; no other may have it."`
	Cluster      string `placeholder:"CLUSTER" required:"" help:"The id of an HSM cluster of the server's configuration; it begins with cluster-."`
	TrustAnchor  string `placeholder:"FILE" required:"" help:"The certificate that the cluster is known by, in PEM; of AWS CloudHSM customerCA.crt."`
	PasswordFile string `placeholder:"FILE" required:"" help:"The file with the password by which the key store logs in, of AWS CloudHSM that of kmsuser; - is standard input."`
	Quiet        bool   `short:"q" help:"Print only the key store's id."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyStoreCreateCmd) Help() string {
	return `The password is not tried before the key store is connected.

Example:

    STORE=$(strongroom key-store create --quiet --name payroll --cluster cluster-2wlvsyv7tgq \
        --trust-anchor customerCA.crt --password-file kmsuser-password)
    strongroom key-store connect --wait $STORE
    strongroom key create --key-store $STORE`
}

// Run makes the key store.
func (c *keyStoreCreateCmd) Run(ctx context.Context, p *Process) error {
	request, err := c.request(p)
	if err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.CreateCustomKeyStore(ctx, request)
		if err != nil {
			return err
		}
		if c.Quiet {
			_, err := fmt.Fprintln(p.Stdout, answer.GetCustomKeyStoreId())
			return err
		}
		return c.print(p, answer, func(w io.Writer) error {
			id := present.Printable(answer.GetCustomKeyStoreId())
			_, err := fmt.Fprintf(w, "Key store %s is made. To use it:\n\n    strongroom key-store connect --wait %[1]s\n", id)
			return err
		})
	})
}

func (c *keyStoreCreateCmd) request(p *Process) (*kmsv1.CreateCustomKeyStoreRequest, error) {
	if c.TrustAnchor == "-" && c.PasswordFile == "-" {
		return nil, usagef("--trust-anchor and --password-file cannot both be standard input")
	}
	anchor, err := readInput(p, c.TrustAnchor)
	if err != nil {
		return nil, err
	}
	password, err := readPassword(p, c.PasswordFile)
	if err != nil {
		return nil, err
	}
	return &kmsv1.CreateCustomKeyStoreRequest{
		CustomKeyStoreName: &c.Name, CloudHsmClusterId: &c.Cluster, TrustAnchorCertificate: new(string(anchor)), KeyStorePassword: password,
	}, nil
}

// maxPassword is the longest password of a key store, in bytes.
const maxPassword = 32

// readPassword reads a password: the file's only line. What is wrong with the
// password is told without showing it.
func readPassword(p *Process, path string) (*string, error) {
	input, err := readInput(p, path)
	if err != nil {
		return nil, err
	}
	defer clear(input)
	line := bytes.TrimSuffix(bytes.TrimSuffix(input, []byte{'\n'}), []byte{'\r'})
	switch {
	case len(line) == 0:
		return nil, usagef("the password in --password-file is empty")
	case len(line) > maxPassword || bytes.ContainsAny(line, "\r\n"):
		return nil, usagef("--password-file is not a single line of at most %d characters", maxPassword)
	}
	return new(string(line)), nil
}
