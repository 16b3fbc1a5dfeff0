package devserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	"github.com/strongroom-kms/strongroom/internal/daemon"
)

// initTimeout bounds the making of a token, which takes SoftHSM well under a
// second.
const initTimeout = 30 * time.Second

// initToken initialises the token once. That it is done is noted in a file, so
// that a start which was cut off in the middle is told from a finished one.
func (s *Site) initToken(ctx context.Context, trail *audit.Trail, logger hclog.Logger) error {
	done := s.path("token")
	if exists(done) {
		return nil
	}
	if err := s.clearTokens(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	err := hsmpool.InitToken(ctx, hsmpool.InitConfig{
		Library: s.library,
		Label:   tokenLabel,
		SOPIN:   hsmpool.PINSource{File: s.path("so-pin")},
		PIN:     hsmpool.PINSource{File: s.path("pin")},
		Env:     daemon.Environment(s.workerEnv),
		Logger:  logger.Named("hsmpool"),
		Auditor: trail,
	})
	if err != nil {
		return fmt.Errorf("initialising the token: %w", err)
	}
	return atomicfile.WriteBytes(done, atomicfile.Create, 0o644, []byte(tokenLabel+"\n"))
}

// clearTokens removes what an unfinished initialisation left: two tokens of one
// label could not be told apart. It refuses when there may be keys.
func (s *Site) clearTokens() error {
	if exists(daemon.MetadataFile(s.Dir)) {
		return fmt.Errorf("%s is missing although there is key metadata: not making a new token over keys that may be in %s",
			s.path("token"), s.path("tokens"))
	}
	if err := os.RemoveAll(s.path("tokens")); err != nil {
		return fmt.Errorf("removing an unfinished token: %w", err)
	}
	return os.Mkdir(s.path("tokens"), 0o700)
}

// exists reports whether there is something at path, or may be.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
