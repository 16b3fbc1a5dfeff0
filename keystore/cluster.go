package keystore

import (
	"context"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// Cluster is an HSM cluster of the configuration that a custom key store can be
// made of. Nothing is asked of it before Connect.
type Cluster interface {
	// ID is the cluster's id, "cluster-" and 11 to 16 of a-z, A-Z and 2-7.
	ID() string
	// TrustAnchor is the certificate that the cluster is known by, in PEM (for AWS
	// CloudHSM customerCA.crt). Clusters with the same one are related: copies of
	// one cluster.
	TrustAnchor() string
	// HSMs is how many HSMs the configuration gives the cluster, and MinActive how
	// many must be active for a key store or a key to be made.
	HSMs() int
	MinActive() int
	// RequestsPerSecond is the quota of the key store; 0: none.
	RequestsPerSecond() int
	// Connect logs in, once at each HSM, as the user of key stores with its password,
	// which it does not keep after it returns, and returns when one HSM takes requests. It
	// fails with a *hsmpool.Error.
	Connect(ctx context.Context, password []byte) (ClusterHSM, error)
	// CheckUnlock looks at the PINs of HSMs that are not connected, without a login, and
	// forgets the passwords that were refused where their tokens allow a login.
	CheckUnlock(ctx context.Context) ([]hsmpool.UnlockCheck, error)
}

// ClusterHSM is the HSMs of a cluster that is connected.
type ClusterHSM interface {
	HSM
	// Await returns nil once n of them take requests at the same time, or why that is not
	// to be expected.
	Await(ctx context.Context, n int) error
	// Close refuses new calls, waits for those in flight, and logs out. When ctx
	// ends first it does not wait any longer.
	Close(ctx context.Context) error
}
