package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type backupCmd struct {
	File   string `arg:"" help:"The backup."`
	Verify bool   `help:"Check the file instead of writing it. No server is called."`
	Force  bool   `help:"Replace the file if it exists."`
	connection
}

// Help is part of kong's HelpProvider.
func (*backupCmd) Help() string {
	return `Writes the key metadata and the audit journal, as they are together at one moment, to a new
file. The server goes on meanwhile. The file is checked as it comes, and there only if
all of it is good.

No key material is in it: that is the HSM's own backup. Who can read it can read every
API event. Keep it away from the server, and the SHA-256 that is printed away from both.

Examples:

    strongroom backup strongroom-$(date +%F).backup
    strongroom backup --verify strongroom-2026-11-23.backup`
}

// Run writes or checks a backup.
func (c *backupCmd) Run(ctx context.Context, p *Process) error {
	var contents *backupContents
	var err error
	if c.Verify {
		contents, err = verifyBackup(c.File)
	} else {
		err = c.stream(ctx, p, func(ctx context.Context, client *connect.Client) (err error) {
			contents, err = c.fetch(ctx, client)
			return err
		})
	}
	if err != nil {
		return err
	}
	return contents.print(p.Stdout, c.File)
}

func verifyBackup(path string) (*backupContents, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	contents, err := readBackup(bufio.NewReaderSize(f, backupBuffer), backupUse{})
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", path, err)
	}
	return contents, nil
}

// backupBuffer is how much of a backup is read or written at a time, in bytes.
const backupBuffer = 256 << 10

// fetch writes what the server sends to the file, and checks it on the way.
func (c *backupCmd) fetch(ctx context.Context, client *connect.Client) (contents *backupContents, err error) {
	if err := atomicfile.Check(c.File, mode(c.Force)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream if the file cannot be written
	stream, err := client.Operator.Backup(ctx, &operatorv1.BackupRequest{})
	if err != nil {
		return nil, err
	}
	err = atomicfile.Write(c.File, mode(c.Force), 0o600, func(w io.Writer) (err error) {
		out := bufio.NewWriterSize(w, backupBuffer)
		contents, err = readBackup(io.TeeReader(&chunkReader{stream: stream}, out), backupUse{})
		if err != nil {
			return fmt.Errorf("receiving the backup: %w", err)
		}
		return out.Flush()
	})
	return contents, err
}

// chunkReader reads the bytes of a stream of chunks.
type chunkReader struct {
	stream grpc.ServerStreamingClient[operatorv1.BackupResponse]
	rest   []byte
}

// Read implements io.Reader.
func (r *chunkReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		answer, err := r.stream.Recv()
		if err != nil {
			return 0, err
		}
		r.rest = answer.GetChunk()
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
