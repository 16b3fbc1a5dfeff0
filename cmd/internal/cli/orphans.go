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

type hsmOrphansCmd struct {
	output
	connection
}

// Help is part of kong's HelpProvider.
func (*hsmOrphansCmd) Help() string {
	return `Compares what is in the HSMs now with the metadata, in both directions, and changes nothing.
The exit status is 3 when an operator has to look at something: a key made for this account and
Region that no KMS key has, or a KMS key whose material is missing. Keys of other
applications on the same token are shown and do not count. Key stores that are not connected
are not looked at: they are named, and do not change the exit status, because a key store may
be disconnected on purpose for as long as its owner likes.

Example:

    strongroom hsm orphans --json`
}

// Run prints the orphans.
func (c *hsmOrphansCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.Operator.ListHsmOrphans(ctx, &operatorv1.ListHsmOrphansRequest{})
		if err != nil {
			return err
		}
		if err := c.print(p, answer, orphanTables(answer)); err != nil {
			return err
		}
		if needsOperator(answer) {
			return exitCode(exitOperator)
		}
		return nil
	})
}

// needsOperator reports whether there is more than other people's keys.
func needsOperator(r *operatorv1.ListHsmOrphansResponse) bool {
	for _, o := range r.GetTokenOrphans() {
		if o.GetOurs() {
			return true
		}
	}
	return len(r.GetMetadataOrphans()) > 0
}

func orphanTables(r *operatorv1.ListHsmOrphansResponse) func(io.Writer) error {
	return func(w io.Writer) error {
		if err := bothOrphans(w, r); err != nil {
			return err
		}
		return skippedKeyStores(w, r.GetSkippedKeyStores())
	}
}

func bothOrphans(w io.Writer, r *operatorv1.ListHsmOrphansResponse) error {
	if len(r.GetTokenOrphans())+len(r.GetMetadataOrphans()) == 0 {
		_, err := fmt.Fprintln(w, nothingOrphaned)
		return err
	}
	if err := tokenOrphans(w, r.GetTokenOrphans()); err != nil {
		return err
	}
	if len(r.GetTokenOrphans()) > 0 && len(r.GetMetadataOrphans()) > 0 {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return metadataOrphans(w, r.GetMetadataOrphans())
}

const nothingOrphaned = `Every key in the HSMs belongs to a KMS key, and every KMS key has its material in an HSM.`

// skippedKeyStores names the key stores of which nothing else that is printed
// tells anything.
func skippedKeyStores(w io.Writer, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nNot looked at, because they are not connected: key stores %s.\n", present.Printable(strings.Join(ids, ", ")))
	return err
}

const foreignOrphansAdvice = `
Keys of other applications, which are left alone.
`

const tokenOrphansAdvice = `
Keys in an HSM that no KMS key has. Those made here, as their labels say, are labelled with a key of
this account and Region: this server made them and its metadata has been lost or is older than they
are, or another server uses the same token. Look for the newest backup of the metadata first. Destroy
them, by the HSM's own tools, only when you know that nothing was encrypted under them.
`

func tokenOrphans(w io.Writer, orphans []*operatorv1.TokenOrphan) error {
	rows, advice := make([][]string, len(orphans)), foreignOrphansAdvice
	for i, o := range orphans {
		made := "elsewhere"
		if o.GetOurs() {
			made, advice = "here", tokenOrphansAdvice
		}
		rows[i] = []string{o.GetHsmId(), orDash(o.GetObjectId()), made, orDash(o.GetLabel())}
	}
	return advised(w, []string{"HSM", "OBJECT ID", "MADE", "LABEL"}, rows, advice)
}

const metadataOrphansAdvice = `
KMS keys whose material is in no HSM: what it encrypted cannot be decrypted. See with
strongroom hsm info whether this is the right token, and restore it from the HSM's own backup. If
there is none, the material is lost, and key schedule-deletion takes the key away.
`

func metadataOrphans(w io.Writer, orphans []*operatorv1.MetadataOrphan) error {
	rows := make([][]string, len(orphans))
	for i, o := range orphans {
		use := "decrypt"
		if o.GetCurrent() {
			use = "encrypt, decrypt"
		}
		rows[i] = []string{o.GetKeyArn(), o.GetBackingKeyId(), use}
	}
	return advised(w, []string{"KEY ARN", "MISSING OBJECT ID", "NEEDED TO"}, rows, metadataOrphansAdvice)
}

// advised prints a table and what to do about it, unless it is empty.
func advised(w io.Writer, heading []string, rows [][]string, advice string) error {
	if len(rows) == 0 {
		return nil
	}
	if err := present.Table(w, heading, rows); err != nil {
		return err
	}
	_, err := io.WriteString(w, advice)
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
