package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

// startPatience is how long a start waits for the HSMs of the default key store, so that
// an ordinary one serves all from its first request on, and none keeps a supervisor
// waiting for long.
const startPatience = 20 * time.Second

// Many a fault of a first start passes before the second, which the pool begins within a
// second: restartPatience is how long it is waited for then, restartCheck how often it is
// looked at.
const (
	restartPatience = 2 * time.Second
	restartCheck    = 50 * time.Millisecond
)

// openHSM starts the workers of the default key store's HSMs. One that does not come up is
// tried again for as long as the server runs, and meanwhile what needs none is served:
// most faults pass, or can be mended while the server runs, and the trails can be read.
func (d *daemon) openHSM(ctx context.Context) error {
	c := d.config.HSM
	settings := poolConfig(c.Device, max(1, d.config.Limits.MaxInFlight/defaultShare))
	settings.PIN = hsmpool.PINSource{File: c.PIN.File, Env: c.PIN.Env, Command: c.PIN.Command}
	settings.ClusterID = c.ClusterID
	settings.Logger = d.logger.Named("hsmpool")
	settings.Auditor, settings.Guard = d.trail, d.guard
	pool, err := hsmpool.Start(settings)
	if err != nil {
		return fmt.Errorf("opening the HSM: %w", err)
	}
	d.hsm = pool
	d.parts.add("HSM", pool.Close)
	return d.awaitHSMs(ctx, max(1, len(c.Members)))
}

// awaitHSMs waits until n HSMs are there, or one of them will not be for now.
func (d *daemon) awaitHSMs(ctx context.Context, n int) error {
	bounded, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	err := d.hsm.Await(bounded, n)
	if mayPass(err) {
		err = d.awaitRestart(bounded, n, err)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, d.options.RequireHSM, !defence.On(defence.Degraded):
		return fmt.Errorf("opening the HSM: %w", err)
	case d.hsm.Health() == nil:
		d.logger.Warn("an HSM is not there; the others serve", "error", err)
		return nil
	}
	d.logger.Error("the HSM is not there; what does not need it is served. "+advice(err), "error", err)
	return nil
}

// awaitRestart waits a little longer for n HSMs, of which one has failed to start, for as
// long as its failure is one that may pass by itself.
func (d *daemon) awaitRestart(ctx context.Context, n int, failure error) error {
	bounded, cancel := context.WithTimeout(ctx, restartPatience)
	defer cancel()
	check := time.NewTicker(restartCheck)
	defer check.Stop()
	for mayPass(failure) {
		select {
		case <-check.C:
			failure = d.hsm.Await(ctx, n) // at once, since the first start is over
		case <-bounded.Done():
			return failure
		}
	}
	return failure
}

// mayPass says whether a failure to start may pass in a moment: nobody has to act, and it
// is not that the token is missing.
func mayPass(err error) bool {
	return err != nil && !needsOperator(err) && !errors.Is(err, hsmpool.ErrNoToken)
}

func needsOperator(err error) bool {
	var e *hsmpool.Error
	return errors.As(err, &e) && e.Class == hsmpool.Operator
}

// advice says what becomes of a start without an HSM.
func advice(err error) string {
	if needsOperator(err) {
		return "It is not tried again before you have acted: see strongroom hsm info, and A start without the HSM in docs/operations.md"
	}
	return "It is tried again until it comes: see strongroom hsm info, and A start without the HSM in docs/operations.md"
}
