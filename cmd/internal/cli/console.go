package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type consoleCmd struct {
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*consoleCmd) Help() string {
	return `The link signs the first browser that opens it in, as the principal of this command line. It is
good once, and for a minute; it is a secret until then. The console only reads, and shows what the
principal may see.

The server has a console if its configuration says so (console.enabled); a development server has one.

Example:

    strongroom console`
}

// Run prints the link.
func (c *consoleCmd) Run(ctx context.Context, p *Process) error {
	return askOperator(ctx, p, c.requestFlags, operator.CreateConsoleLink, new(operatorv1.CreateConsoleLinkRequest), func(w io.Writer, r *operatorv1.CreateConsoleLinkResponse) error {
		_, err := fmt.Fprintln(w, r.GetUrl())
		if err == nil {
			_, err = fmt.Fprintf(p.Stderr, "Open it in a browser by %s; it is good once.\n", r.GetExpires().AsTime().UTC().Format(time.TimeOnly+" MST"))
		}
		return err
	})
}
