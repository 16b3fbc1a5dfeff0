package cli

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
)

// connection is the flags of every command that calls a server.
type connection struct {
	Address    string        `group:"connection" placeholder:"HOST:PORT" help:"The server ($$STRONGROOM_ADDRESS)."`
	CACert     string        `group:"connection" name:"ca-cert" placeholder:"FILE" help:"Who may have issued the server's certificate, in PEM ($$STRONGROOM_CA_CERT)."`
	ClientCert string        `group:"connection" placeholder:"FILE" help:"Your certificate, in PEM ($$STRONGROOM_CLIENT_CERT)."`
	ClientKey  string        `group:"connection" placeholder:"FILE" help:"Its private key, in PEM ($$STRONGROOM_CLIENT_KEY)."`
	Region     string        `group:"connection" placeholder:"REGION" help:"The Region that the command is about, if not the server's first ($$STRONGROOM_REGION)."`
	Timeout    time.Duration `group:"connection" default:"30s" help:"How long to wait for an answer (${default})."`
}

// open connects; the caller closes the client.
func (c *connection) open(p *Process) (*connect.Client, error) {
	if c.Timeout <= 0 {
		return nil, usagef("--timeout %v is not more than 0s", c.Timeout)
	}
	o := connect.Options{UserAgent: "strongroom/" + version(), Region: cmp.Or(c.Region, p.Getenv("STRONGROOM_REGION"))}
	for _, setting := range []struct {
		to                   *string
		flag, name, variable string
	}{
		{&o.Address, c.Address, "--address", "STRONGROOM_ADDRESS"},
		{&o.CACert, c.CACert, "--ca-cert", "STRONGROOM_CA_CERT"},
		{&o.ClientCert, c.ClientCert, "--client-cert", "STRONGROOM_CLIENT_CERT"},
		{&o.ClientKey, c.ClientKey, "--client-key", "STRONGROOM_CLIENT_KEY"},
	} {
		*setting.to = cmp.Or(setting.flag, p.Getenv(setting.variable))
		if *setting.to == "" {
			return nil, usagef("needs %s or $%s", setting.name, setting.variable)
		}
	}
	if err := checkAddress(o.Address); err != nil {
		return nil, err
	}
	return connect.New(o)
}

// checkAddress wants a port: gRPC would take 443 for a missing one.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" {
		return usagef("--address or $STRONGROOM_ADDRESS: %q is not of the form HOST:PORT, such as kms.example.com:7400", address)
	}
	return nil
}

// call runs f with a client and at most --timeout. A dry run that the server says
// would have succeeded is a success.
func (c *connection) call(ctx context.Context, p *Process, f func(context.Context, *connect.Client) error) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	err := c.stream(ctx, p, f)
	if e, ok := client.AsError(err); ok && e.Name == "DryRunOperationException" {
		_, err = fmt.Fprintln(p.Stdout, "The request would have succeeded. Nothing was done.")
	}
	return err
}

// within gives one answer --timeout to come.
func (c *connection) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("no answer within %v (--timeout)", c.Timeout))
}

// stream is call for what may last.
func (c *connection) stream(ctx context.Context, p *Process, f func(context.Context, *connect.Client) error) error {
	client, err := c.open(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // all calls are over
	return f(ctx, client)
}

// output is the flag of commands that print a table.
type output struct {
	JSON bool `name:"json" help:"Print JSON, with AWS's names."`
}

// print prints m as JSON if the user wants that, or calls table.
func (o output) print(p *Process, m proto.Message, table func(io.Writer) error) error {
	if !o.JSON {
		return table(p.Stdout)
	}
	j, err := present.NewJSON()
	if err != nil {
		return err
	}
	return j.Write(p.Stdout, m)
}

// bytesOutput is the flags of commands whose result is bytes.
type bytesOutput struct {
	Output string `short:"o" placeholder:"FILE" help:"Write the bytes, as they are, to a new file."`
	Force  bool   `help:"Replace the file if it exists."`
}

// write writes to the file if the user named one, otherwise to standard output.
func (o bytesOutput) write(p *Process, b []byte) error {
	if o.Output == "" {
		_, err := p.Stdout.Write(b)
		return err
	}
	return atomicfile.WriteBytes(o.Output, mode(o.Force), 0o600, b)
}

func mode(force bool) atomicfile.Mode {
	if force {
		return atomicfile.Replace
	}
	return atomicfile.Create
}

// writeText writes bytes as they are into a file or if the user wants that,
// otherwise as a line of base64.
func (o bytesOutput) writeText(p *Process, b []byte, raw bool) error {
	if raw || o.Output != "" {
		return o.write(p, b)
	}
	return o.write(p, text(b))
}

// text is one line of base64.
func text(b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(nil, b), '\n')
}

// encryptionContext is the flag of commands that encrypt or decrypt.
type encryptionContext struct {
	Context []string `short:"c" sep:"none" placeholder:"NAME=VALUE" help:"A pair of the encryption context; may be repeated. It is authenticated, not secret: it stands in the audit trail. Decryption needs the same pairs."`
}

func (e encryptionContext) pairs() (map[string]string, error) {
	return parsePairs("--context", e.Context)
}

// parsePairs reads the values of a flag.
func parsePairs(flag string, values []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, s := range values {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, usagef("%s %q is not of the form NAME=VALUE", flag, s)
		}
		if _, twice := pairs[name]; twice {
			return nil, usagef("%s has %q twice", flag, name)
		}
		pairs[name] = value
	}
	return pairs, nil
}

// grantTokens is the flag of commands that a grant can allow.
type grantTokens struct {
	GrantToken []string `sep:"none" placeholder:"TOKEN" help:"The token of a grant; may be repeated. With this server grants are in force without it."`
}

// dryRun is the flag of commands that can be tried.
type dryRun struct {
	DryRun bool `help:"Only say whether the request would succeed."`
}

// dry returns the field of a request.
func (d dryRun) dry() *bool {
	if !d.DryRun {
		return nil
	}
	return new(true)
}

// useFlags is the flags of commands that use a key.
type useFlags struct {
	grantTokens
	dryRun
}

// maxInput is how much of an input is read, in bytes: well over what an
// operation accepts, and well under what could fill the memory.
const maxInput = 64 << 10

// readInput reads a file, or standard input if path is "-". Of an input longer
// than maxInput it returns the first maxInput+1 bytes.
func readInput(p *Process, path string) ([]byte, error) { return readUpTo(p, path, maxInput) }

// readUpTo is readInput with another limit.
func readUpTo(p *Process, path string, limit int64) ([]byte, error) {
	r := p.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // only read
		r = f
	}
	return io.ReadAll(io.LimitReader(r, limit+1))
}
