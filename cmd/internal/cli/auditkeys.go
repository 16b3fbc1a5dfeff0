package cli

import (
	"context"
	"encoding/pem"
	"errors"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type auditKeysCmd struct {
	PEM bool `name:"pem" help:"Print the keys in PEM instead, for a verifier."`
	bytesOutput
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*auditKeysCmd) Help() string {
	return `The public keys of the key pairs in the HSM that sign digests, or did, oldest first. There is none
before the first digest. With --pem or -o each is a block of the type RSA PUBLIC KEY. Keep them
where the server cannot write: with keys that came from the server itself, whoever has taken it
over could sign digests of their own.

Examples:

    strongroom audit keys -o audit-keys.pem
    strongroom audit verify DATA-DIR --public-key audit-keys.pem`
}

// Run prints or writes the keys.
func (c *auditKeysCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.Operator.DescribeAudit(ctx, &operatorv1.DescribeAuditRequest{})
		if err != nil {
			return err
		}
		keys := answer.GetSigningKeys()
		return c.print(p, answer, func(w io.Writer) error {
			switch {
			case !c.PEM && c.Output == "":
				return auditKeyTable(w, keys)
			case len(keys) == 0:
				return errors.New("there is no key yet: it is made with the first digest")
			}
			return c.write(p, encodeKeys(keys))
		})
	})
}

func auditKeyTable(w io.Writer, keys []*operatorv1.AuditSigningKey) error {
	rows := make([][]string, len(keys))
	for i, k := range keys {
		rows[i] = []string{k.GetFingerprint(), present.Time(k.GetCreated()), orDash(present.Time(k.GetRetired()))}
	}
	return present.Table(w, []string{"FINGERPRINT", "MADE", "SIGNED UNTIL"}, rows)
}

// encodeKeys returns the keys in PEM.
func encodeKeys(keys []*operatorv1.AuditSigningKey) (text []byte) {
	for _, k := range keys {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: k.GetPublicKey()})...)
	}
	return text
}

type auditRotateKeyCmd struct{ requestFlags }

// Help is part of kong's HelpProvider.
func (*auditRotateKeyCmd) Help() string {
	return `Makes a new key pair in the HSM, which signs the digests from the next one on, and destroys the
private key before it, by which nothing can be signed any more. The public key before it stays:
it verifies what was signed by it. It is also what to do when the HSM has lost the key. Then
write the public keys anew, with strongroom audit keys.`
}

// Run makes a new key.
func (c *auditRotateKeyCmd) Run(ctx context.Context, p *Process) error {
	return askOperator(ctx, p, c.requestFlags, operator.RotateAuditKey, &operatorv1.RotateAuditKeyRequest{},
		func(w io.Writer, r *operatorv1.RotateAuditKeyResponse) error {
			return auditKeyTable(w, []*operatorv1.AuditSigningKey{r.GetSigningKey()})
		})
}
