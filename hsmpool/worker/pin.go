//go:build cgo

package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// pinCommandTimeout bounds a command that prints a PIN.
const pinCommandTimeout = 30 * time.Second

// readPIN reads a PIN from its source, and wipes one that came with the request. It must
// be called before C_Initialize: many libraries do not survive a fork after it. Its caller
// wipes the PIN. Errors never quote what was read. There is no PIN where no source is
// asked of: such a worker is not to log in.
func readPIN(s *workerv1.PinSource) ([]byte, error) {
	switch {
	case s == nil:
		return nil, nil
	case len(s.GetSecret()) > 0:
		defer clear(s.GetSecret())
		return bytes.Clone(s.GetSecret()), nil
	case s.GetFile() != "":
		content, err := os.ReadFile(s.GetFile())
		if err != nil {
			return nil, fmt.Errorf("reading the PIN file: %w", err)
		}
		return firstLine(content)
	case s.GetEnv() != "":
		return firstLine([]byte(os.Getenv(s.GetEnv())))
	case len(s.GetCommand()) > 0:
		return pinFromCommand(s.GetCommand())
	}
	return nil, errors.New("no source of the PIN is named")
}

func pinFromCommand(command []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), pinCommandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		clear(out)
		return nil, fmt.Errorf("running the PIN command %s: %w", command[0], err)
	}
	return firstLine(out)
}

// firstLine returns content up to the first line end, and wipes content.
func firstLine(content []byte) ([]byte, error) {
	defer clear(content)
	line, _, _ := bytes.Cut(content, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) == 0 {
		return nil, errors.New("the PIN's source is empty")
	}
	return bytes.Clone(line), nil
}
