package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// errHSMAway says that work was not tried because its HSM takes no requests: that of the
// default key store is not there, or a custom key store is not connected.
var errHSMAway = errors.New("the HSM is not available")

// available returns nil if the HSM of a custom key store, "" for the default one, takes
// requests, and errHSMAway with the reason if it does not. What can wait for the HSM asks
// first, so that nothing is tried in vain, and recorded as failed, for as long as it is
// away.
func (k *Keystore) available(store string) error {
	hsm := k.hsm
	if store != "" {
		c, connected := k.connections.Get(store)
		if !connected {
			return fmt.Errorf("%w: the custom key store %s is not connected", errHSMAway, store)
		}
		hsm = c
	}
	if err := hsm.Health(); err != nil {
		return fmt.Errorf("%w: %w", errHSMAway, err)
	}
	return nil
}

// awaitHSM waits until an HSM takes requests, and says whether it does; it does not when the
// context has ended.
func awaitHSM(ctx context.Context, hsm HSM) bool {
	tick := time.NewTicker(settlePause)
	defer tick.Stop()
	for hsm.Health() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// waitsForHSM says whether work failed because of its HSM, so that it is to be tried again.
func waitsForHSM(err error) bool {
	var e *hsmpool.Error
	return errors.Is(err, errHSMAway) || errors.As(err, &e)
}
