package devserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/daemon"
)

// initTimeout bounds the making of a token, which takes SoftHSM well under a
// second.
const initTimeout = 30 * time.Second

// token is a SoftHSM token in a directory with its PINs and with a configuration of
// the library that knows no other.
type token struct {
	dir, label string
	env        map[string]string // of its workers
}

func newToken(dir, label string, workerEnv map[string]string) token {
	t := token{dir: dir, label: label}
	t.env = map[string]string{"SOFTHSM2_CONF": t.libraryConfig()}
	maps.Copy(t.env, workerEnv)
	return t
}

func (t token) path(name string) string { return filepath.Join(t.dir, name) }

// pin is the file with the user's PIN.
func (t token) pin() string { return t.path("pin") }

// libraryConfig is the file that the worker's SOFTHSM2_CONF names.
func (t token) libraryConfig() string { return t.path("softhsm2.conf") }

// device is what a configuration file would say of the token.
func (t token) device(library string) config.Device {
	return config.Device{Library: library, Token: config.Token{Label: t.label}, Profile: "softhsm", Env: t.env}
}

// prepare makes what is missing, but for the token itself.
func (t token) prepare() error {
	if err := os.MkdirAll(t.path("tokens"), 0o700); err != nil {
		return err
	}
	for _, file := range []string{t.pin(), t.path("so-pin")} {
		if err := makePIN(file); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", t.path("tokens"))
	return atomicfile.WriteBytes(t.libraryConfig(), atomicfile.Replace, 0o644, []byte(text))
}

// makePIN makes a random PIN of 26 letters and digits unless it is there.
func makePIN(path string) error {
	_, err := os.Lstat(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.WriteBytes(path, atomicfile.Create, 0o600, []byte(rand.Text()+"\n"))
}

// initTokens initialises the tokens that are not.
func (s *Site) initTokens(ctx context.Context, trail *audit.Trail, logger hclog.Logger) error {
	keys := exists(daemon.MetadataFile(s.Dir))
	if err := s.token.init(ctx, s.library, keys, trail, logger); err != nil {
		return err
	}
	for _, c := range s.Clusters {
		// A token that was never begun has no keys, whatever the metadata has.
		if err := c.token.init(ctx, s.library, keys && c.token.begun(), trail, logger); err != nil {
			return fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	return nil
}

// init initialises the token once. That it is done is noted in a file, so that a
// start which was cut off in the middle is told from a finished one. keys says that
// the token may have some.
func (t token) init(ctx context.Context, library string, keys bool, trail *audit.Trail, logger hclog.Logger) error {
	done := t.path("token")
	if exists(done) {
		return nil
	}
	if err := t.clear(keys); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	err := hsmpool.InitToken(ctx, hsmpool.InitConfig{
		Library: library,
		Label:   t.label,
		SOPIN:   hsmpool.PINSource{File: t.path("so-pin")},
		PIN:     hsmpool.PINSource{File: t.pin()},
		Env:     daemon.Environment(t.env),
		Logger:  logger.Named("hsmpool"),
		Auditor: trail,
	})
	if err != nil {
		return fmt.Errorf("initialising the token: %w", err)
	}
	return atomicfile.WriteBytes(done, atomicfile.Create, 0o644, []byte(t.label+"\n"))
}

// begun says that the library has written something, or may have.
func (t token) begun() bool {
	files, err := os.ReadDir(t.path("tokens"))
	return err != nil || len(files) > 0
}

// clear removes what an unfinished initialisation left: two tokens of one label
// could not be told apart. It refuses when there may be keys.
func (t token) clear(keys bool) error {
	if keys {
		return fmt.Errorf("%s is missing although there is key metadata: not making a new token over keys that may be in %s",
			t.path("token"), t.path("tokens"))
	}
	if err := os.RemoveAll(t.path("tokens")); err != nil {
		return fmt.Errorf("removing an unfinished token: %w", err)
	}
	return os.Mkdir(t.path("tokens"), 0o700)
}

// exists reports whether there is something at path, or may be.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
