// Package cli is the command line of strongroom.
//
// Each command is a struct whose fields are its flags and arguments and whose
// Run method does the work. What a command prints for people is a table, and
// with --json it is JSON. An error is one line on standard error, beginning
// "strongroom: <command>: " (a configuration file has a line for each fault).
// The exit status is 0 for success, 1 for an error, 2 for a command line that
// was not understood, and 3 for an HSM that needs an operator; a server must
// not be started again before that.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/hsmpool"
)

// Exit statuses.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2
	exitOperator = 3 // a server that starts again with a wrong PIN could lock the token
)

// Process is what a command has of the process that it runs in.
type Process struct {
	// Stdin, Stdout and Stderr are the standard streams. A progress bar and
	// columns appear only where the stream is a terminal.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Getenv returns the value of an environment variable, or "".
	Getenv func(string) string
}

// grammar is the whole command line.
type grammar struct {
	Serve       serveCmd       `cmd:"" group:"server" help:"Run the server."`
	Dev         devCmd         `cmd:"" group:"server" help:"Run a server on a SoftHSM token of its own, for development."`
	CheckConfig checkConfigCmd `cmd:"" group:"server" help:"Check a configuration file."`
	Audit       auditCmd       `cmd:"" group:"server" help:"Check the audit trails, and see where they stand."`
	Backup      backupCmd      `cmd:"" group:"server" help:"Back up the key metadata and the audit journal of a running server."`
	Restore     restoreCmd     `cmd:"" group:"server" help:"Make a data directory from a backup."`

	Key         keyCmd         `cmd:"" group:"use" help:"Create, list, enable, disable and delete keys."`
	Alias       aliasCmd       `cmd:"" group:"use" help:"Give keys names."`
	Grant       grantCmd       `cmd:"" group:"use" help:"Let others use keys."`
	Principal   principalCmd   `cmd:"" group:"use" help:"Say who may call the server."`
	Policy      policyCmd      `cmd:"" group:"use" help:"Say what callers may do, and ask what the policies allow."`
	KeyStore    keyStoreCmd    `cmd:"" group:"use" help:"Keep keys in HSM clusters of their own: custom key stores."`
	Encrypt     encryptCmd     `cmd:"" group:"use" help:"Encrypt up to 4,096 bytes."`
	Decrypt     decryptCmd     `cmd:"" group:"use" help:"Decrypt what encrypt, datakey or a KMS client made."`
	Reencrypt   reencryptCmd   `cmd:"" group:"use" help:"Move a ciphertext to another key or context."`
	Datakey     datakeyCmd     `cmd:"" group:"use" help:"Make a data key, in the clear and encrypted."`
	Random      randomCmd      `cmd:"" group:"use" help:"Get random bytes from the HSM."`
	DataKeyPair dataKeyPairCmd `cmd:"" group:"use" help:"Make a data key pair, its private key in the clear and encrypted."`
	Sign        signCmd        `cmd:"" group:"use" help:"Sign a message or a digest."`
	Verify      verifyCmd      `cmd:"" group:"use" help:"Verify a signature."`
	Mac         macCmd         `cmd:"" group:"use" help:"Make and verify message authentication codes."`
	Derive      deriveCmd      `cmd:"" group:"use" help:"Derive a secret that is shared with the holder of another key."`
	File        fileCmd        `cmd:"" group:"use" help:"Seal and open files of any size."`

	Events  eventsCmd  `cmd:"" group:"watch" help:"Read the API events."`
	HSMLog  hsmLogCmd  `cmd:"" name:"hsm-log" group:"watch" help:"Read the audit log of the HSMs."`
	HSM     hsmCmd     `cmd:"" name:"hsm" group:"watch" help:"See the state of the HSMs, and keys that lost their metadata."`
	Console consoleCmd `cmd:"" group:"watch" help:"Print a link that signs you in to the web console."`

	Version   versionCmd   `cmd:"" help:"Print the version."`
	HSMWorker hsmWorkerCmd `cmd:"" name:"hsm-worker" hidden:"" help:"Serve one HSM to the server that started this process."`
}

const description = `Strongroom is a key management service on PKCS#11 HSMs.

Commands that call a server need its address and three files, from flags or from the environment:
STRONGROOM_ADDRESS, STRONGROOM_CA_CERT, STRONGROOM_CLIENT_CERT, STRONGROOM_CLIENT_KEY.

Exit status: 0 success, 1 error, 2 wrong usage, 3 the HSM needs an operator: do not start the server again by itself.`

// Main runs one command and returns the process's exit status. It returns soon
// after ctx ends. It may be called many times in a process.
func Main(ctx context.Context, args []string, p Process) int {
	helped := false
	parser, err := newParser(ctx, &p, func(int) { helped = true })
	if err != nil {
		fmt.Fprintf(p.Stderr, "strongroom: %v\n", err)
		return exitError
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	switch {
	case helped:
		return exitOK
	case err != nil:
		fmt.Fprintf(p.Stderr, "strongroom: %v (see strongroom --help)\n", err)
		return exitUsage
	}
	return status(commandName(command.Command()), command.Run(), p.Stderr)
}

// newParser makes the parser of the grammar. It calls exit when it has printed
// a help text; what it returns after that means nothing.
func newParser(ctx context.Context, p *Process, exit func(int)) (*kong.Kong, error) {
	return kong.New(new(grammar),
		kong.Name("strongroom"),
		kong.Description(description),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "server", Title: "Server:"},
			{Key: "use", Title: "Keys and data:"},
			{Key: "watch", Title: "Audit and state:"},
			{Key: "connection", Title: "Connection:"},
		}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
}

// status reports an error and returns the exit status that it deserves.
func status(command string, err error, stderr io.Writer) int {
	var code exitCode
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case connect.Interrupted(err):
		err = errors.New("interrupted")
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "strongroom: %s: %s\n", command, present.Printable(strings.TrimSuffix(line, "\n")))
	}
	return exitOf(err)
}

// exitOf returns the exit status for an error.
func exitOf(err error) int {
	var usage usageError
	var operator operatorError
	var hsm *hsmpool.Error
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &operator), errors.As(err, &hsm) && hsm.Class == hsmpool.Operator:
		return exitOperator
	default:
		return exitError
	}
}

// commandName strips the arguments off kong's name of a command.
func commandName(full string) string {
	name, _, _ := strings.Cut(full, " <")
	return name
}

// exitCode is an exit status that needs no words any more.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

// usageError is a command line that kong accepts but that makes no sense.
type usageError string

func (e usageError) Error() string { return string(e) }

// operatorError says what an operator has to do about an HSM.
type operatorError string

func (e operatorError) Error() string { return string(e) }

func usagef(format string, args ...any) error {
	return usageError(fmt.Sprintf(format, args...))
}
