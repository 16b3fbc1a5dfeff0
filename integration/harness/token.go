package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// TokenLabel is the label of every token that NewToken makes.
const TokenLabel = "strongroom-it"

// Token is a SoftHSM token in a directory of its own.
type Token struct {
	// Library is the SoftHSM library, Conf the value of SOFTHSM2_CONF.
	Library, Conf string
	// Store is the directory in which SoftHSM keeps the token.
	Store string
	// PIN is the user PIN, and PINFile the file that holds it.
	PIN, PINFile string
}

// Env is the environment of a process that uses the token.
func (t *Token) Env() []string { return append(os.Environ(), "SOFTHSM2_CONF="+t.Conf) }

// NewToken makes a token below dir.
func NewToken(ctx context.Context, dir string) (*Token, error) {
	t := &Token{
		Conf:    filepath.Join(dir, "softhsm2.conf"),
		Store:   filepath.Join(dir, "tokens"),
		PIN:     rand.Text(),
		PINFile: filepath.Join(dir, "pin"),
	}
	var err error
	if t.Library, err = FindSoftHSM(); err != nil {
		return nil, err
	}
	if err := t.writeFiles(); err != nil {
		return nil, err
	}
	return t, t.Init(ctx, TokenLabel)
}

// Init initialises one more token in the directory.
func (t *Token) Init(ctx context.Context, label string) error {
	// The PINs are worth nothing outside this directory, so that they may stand
	// in an argument list.
	cmd := exec.CommandContext(ctx, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", t.PIN, "--so-pin", rand.Text())
	cmd.Env = t.Env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initialising a token with softhsm2-util: %w: %s", err, out)
	}
	return nil
}

func (t *Token) writeFiles() error {
	if err := os.MkdirAll(t.Store, 0o700); err != nil {
		return fmt.Errorf("making the token directory: %w", err)
	}
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", t.Store)
	if err := os.WriteFile(t.Conf, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("writing the SoftHSM configuration: %w", err)
	}
	return t.WritePIN(t.PIN)
}

// WritePIN makes pin the PIN that servers will read.
func (t *Token) WritePIN(pin string) error {
	if err := os.WriteFile(t.PINFile, []byte(pin+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the PIN file: %w", err)
	}
	return nil
}

// FindSoftHSM returns the path of the SoftHSM library.
func FindSoftHSM() (string, error) {
	for _, pattern := range []string{
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/*/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
	} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0], nil
		}
	}
	return "", errors.New("no SoftHSM library in the usual places; `make test` installs it (package softhsm2)")
}

// Compile makes a program or, with the flag -shared among args, a library of C
// sources.
func Compile(ctx context.Context, output string, args ...string) error {
	args = append([]string{"-O2", "-Wall", "-Wextra", "-Werror", "-o", output}, args...)
	if out, err := exec.CommandContext(ctx, "cc", append(args, "-ldl")...).CombinedOutput(); err != nil {
		return fmt.Errorf("compiling %s: %w: %s", filepath.Base(output), err, out)
	}
	return nil
}
