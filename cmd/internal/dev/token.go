package dev

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
func (l *layout) initToken(ctx context.Context, trail *audit.Trail, logger hclog.Logger) error {
	done := l.path("token")
	if exists(done) {
		return nil
	}
	if err := l.clearTokens(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	err := hsmpool.InitToken(ctx, hsmpool.InitConfig{
		Library: l.library,
		Label:   tokenLabel,
		SOPIN:   hsmpool.PINSource{File: l.path("so-pin")},
		PIN:     hsmpool.PINSource{File: l.path("pin")},
		Env:     []string{"SOFTHSM2_CONF=" + l.softHSMConfig()},
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
func (l *layout) clearTokens() error {
	if exists(daemon.MetadataFile(l.dir)) {
		return fmt.Errorf("%s is missing although there is key metadata: not making a new token over keys that may be in %s",
			l.path("token"), l.path("tokens"))
	}
	if err := os.RemoveAll(l.path("tokens")); err != nil {
		return fmt.Errorf("removing an unfinished token: %w", err)
	}
	return os.Mkdir(l.path("tokens"), 0o700)
}

// exists reports whether there is something at path, or may be.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
