package daemon

import (
	"context"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/keystore"
)

// keyStoreUser is who a key store logs in as where a PIN names the user: AWS gives
// it this name in each cluster of a key store.
const keyStoreUser = "kmsuser"

// cluster is an HSM cluster of the configuration. It has nothing open: who connects
// it owns the pool.
type cluster struct {
	config      config.Cluster
	trustAnchor string
	inFlight    int // if the configuration does not say
	logger      hclog.Logger
	auditor     hsmpool.Auditor
	guard       *hsmpool.PINGuard
}

var _ keystore.Cluster = (*cluster)(nil)

// readTrustAnchors reads the only files of clusters that a server needs to start.
func (d *daemon) readTrustAnchors(context.Context) (err error) {
	d.trustAnchors, err = d.config.TrustAnchors()
	return err
}

// clusters are those that custom key stores can be made of.
func (d *daemon) clusters() []keystore.Cluster {
	var all []keystore.Cluster
	for i, c := range d.config.Clusters {
		all = append(all, &cluster{
			config:      c,
			trustAnchor: d.trustAnchors[i],
			inFlight:    max(1, d.config.Limits.MaxInFlight/clusterShare),
			logger:      d.logger.Named("hsmpool").With("cluster", c.ID),
			auditor:     d.trail,
			guard:       d.guard,
		})
	}
	return all
}

// ID is part of keystore.Cluster.
func (c *cluster) ID() string { return c.config.ID }

// TrustAnchor is part of keystore.Cluster.
func (c *cluster) TrustAnchor() string { return c.trustAnchor }

// HSMs is part of keystore.Cluster.
func (c *cluster) HSMs() int { return max(1, len(c.config.Members)) }

// MinActive is part of keystore.Cluster.
func (c *cluster) MinActive() int { return max(1, c.config.MinActiveHSMs) }

// RequestsPerSecond is part of keystore.Cluster.
func (c *cluster) RequestsPerSecond() int { return c.config.RequestsPerSecond }

// Connect is part of keystore.Cluster. The pool keeps a copy of the PIN until it is
// closed, because each new worker has to log in.
func (c *cluster) Connect(ctx context.Context, password []byte) (keystore.ClusterHSM, error) {
	settings := c.settings()
	settings.PIN.Secret = c.pin(password)
	defer clear(settings.PIN.Secret)
	pool, err := hsmpool.Open(ctx, settings)
	if err != nil {
		return nil, err // not a nil *Pool, which would be no nil ClusterHSM
	}
	return pool, nil
}

// CheckUnlock is part of keystore.Cluster.
func (c *cluster) CheckUnlock(ctx context.Context) ([]hsmpool.UnlockCheck, error) {
	return hsmpool.CheckUnlock(ctx, c.settings())
}

// settings are those of the cluster's pools, without a PIN.
func (c *cluster) settings() hsmpool.Config {
	settings := poolConfig(c.config.Device, c.inFlight)
	settings.ClusterID = c.config.ID
	settings.Logger = c.logger
	settings.Auditor, settings.Guard = c.auditor, c.guard
	return settings
}

// pin is the password as the PIN of the cluster's token. Its owner wipes it.
func (c *cluster) pin(password []byte) []byte {
	var user string
	if c.config.Profile == ckr.ProfileCloudHSM {
		user = keyStoreUser + ":"
	}
	pin := make([]byte, 0, len(user)+len(password)) // of its own, so that no copy outgrows it
	return append(append(pin, user...), password...)
}
