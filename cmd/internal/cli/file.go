package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/sealfile"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// sealedSuffix is what the name of a sealed file ends in by default.
const sealedSuffix = ".sealed"

type fileCmd struct {
	Seal fileSealCmd `cmd:"" help:"Encrypt a file of any size under a data key of its own."`
	Open fileOpenCmd `cmd:"" help:"Decrypt a sealed file."`
}

// outputFile is the flags of both commands.
type outputFile struct {
	Output string `short:"o" placeholder:"FILE" help:"The file to write."`
	Force  bool   `help:"Replace the output if it exists."`
}

type fileSealCmd struct {
	Input string  `arg:"" help:"The file to seal."`
	Key   keyName `short:"k" placeholder:"KEY" required:"" help:"The id, ARN or alias of the key that encrypts the data key."`
	encryptionContext
	grantTokens
	outputFile
	connection
}

// Help is part of kong's HelpProvider.
func (*fileSealCmd) Help() string {
	return `The file is encrypted here, in a stream and in constant memory, under a new data
key, which is all that crosses the network. The output is FILE.sealed unless --output says
another; it appears when it is complete. Until then it is a hidden file beside it,
.FILE.sealed.tmp-* (a random number), which is removed when sealing fails or is interrupted; if the
process is killed (kill -9) or the machine stops, it stays and is yours to remove.

Example:

    strongroom file seal --key $KEY --context archive=2026 backup.tar`
}

// Run seals the file.
func (c *fileSealCmd) Run(ctx context.Context, p *Process) error {
	pairs, err := c.pairs()
	if err != nil {
		return err
	}
	if c.Output == "" {
		c.Output = c.Input + sealedSuffix
	}
	return c.stream(ctx, p, func(ctx context.Context, client *connect.Client) error {
		wrap := func(ctx context.Context) (key, wrapped []byte, err error) {
			ctx, cancel := c.within(ctx)
			defer cancel()
			answer, err := client.KMS.GenerateDataKey(ctx, &kmsv1.GenerateDataKeyRequest{
				KeyId: c.Key.id(), KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(), EncryptionContext: pairs, GrantTokens: c.GrantToken,
			})
			return answer.GetPlaintext(), answer.GetCiphertextBlob(), err
		}
		return convert(p, c.Input, c.outputFile, "sealing", func(w io.Writer, r io.Reader) error {
			return sealfile.Seal(ctx, w, r, wrap)
		})
	})
}

type fileOpenCmd struct {
	Input string  `arg:"" help:"The sealed file."`
	Key   keyName `short:"k" placeholder:"KEY" help:"Refuse a file that was sealed with another key than this id, ARN or alias."`
	encryptionContext
	grantTokens
	outputFile
	connection
}

// Help is part of kong's HelpProvider.
func (*fileOpenCmd) Help() string {
	return `The output is the input's name without .sealed unless --output says another. It
appears only when the whole file has proved to be unaltered.

Example:

    strongroom file open --context archive=2026 backup.tar.sealed`
}

// Run opens the file.
func (c *fileOpenCmd) Run(ctx context.Context, p *Process) error {
	pairs, err := c.pairs()
	if err != nil {
		return err
	}
	if c.Output == "" {
		name, ok := strings.CutSuffix(c.Input, sealedSuffix)
		if !ok {
			return usagef("needs --output, because the name of %s does not end in %s", c.Input, sealedSuffix)
		}
		c.Output = name
	}
	return c.stream(ctx, p, func(ctx context.Context, client *connect.Client) error {
		unwrap := func(ctx context.Context, wrapped []byte) ([]byte, error) {
			ctx, cancel := c.within(ctx)
			defer cancel()
			answer, err := client.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{
				KeyId: given(string(c.Key)), CiphertextBlob: wrapped, EncryptionContext: pairs, GrantTokens: c.GrantToken,
			})
			return answer.GetPlaintext(), err
		}
		return convert(p, c.Input, c.outputFile, "opening", func(w io.Writer, r io.Reader) error {
			return sealfile.Open(ctx, w, r, unwrap)
		})
	})
}

// convert runs f from the input to an output that appears only if f succeeds.
func convert(p *Process, input string, out outputFile, verb string, f func(io.Writer, io.Reader) error) error {
	in, err := os.Open(input)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", input)
	}
	bar := progress(p.Stderr, info.Size(), verb+" "+input)
	defer bar.Close() //nolint:errcheck // only a display
	return atomicfile.Write(out.Output, mode(out.Force), 0o600, func(w io.Writer) error {
		return f(w, io.TeeReader(in, bar))
	})
}

// progress shows how far the reading is, on a terminal; elsewhere nothing.
func progress(w io.Writer, size int64, what string) io.WriteCloser {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nopWriteCloser{io.Discard}
	}
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

type nopWriteCloser struct{ io.Writer }

// Close is part of io.Closer.
func (nopWriteCloser) Close() error { return nil }
