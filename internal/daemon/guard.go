package daemon

import (
	"context"
	"fmt"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore"
)

// guardPINs has all HSMs guarded by what the metadata knows of logins. That is written at
// each login, so it is made sure before that the metadata is the journal's.
func (d *daemon) guardPINs(ctx context.Context) error {
	err := keystore.Bind(ctx, keystore.Config{
		Account:  d.config.Account,
		Metadata: d.metadata,
		Trail:    d.trail,
		Journal:  d.journal.String(),
		Logger:   d.logger.Named("keystore"),

		AcceptNewJournal: d.options.AcceptNewJournal,
	}, d.config.RegionNames()...)
	if err != nil {
		return fmt.Errorf("opening the key store: %w", err)
	}
	d.guard = hsmpool.NewPINGuard(keystore.NewLogins(d.metadata, d.config.Account))
	return nil
}
