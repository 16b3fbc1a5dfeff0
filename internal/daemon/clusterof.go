package daemon

import (
	"strings"
	"sync"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// clusterNames remembers which cluster an HSM belongs to, also when it is away.
type clusterNames struct {
	mu   sync.Mutex
	seen map[string]string // of HSMs
}

// clusterOf names the cluster of an HSM, by which the files and groups of its log are named:
// as the configuration or the token has it. An HSM that was not seen since the start, and
// that the configuration does not name, is alone in a cluster named after it.
func (d *daemon) clusterOf(hsmID string) string {
	d.clusterNames.mu.Lock()
	defer d.clusterNames.mu.Unlock()
	if c := d.clusterNames.seen[hsmID]; c != "" {
		return c
	}
	d.clusterNames.seen = configuredClusters(d.config)
	for _, s := range d.keystore.HSMs() {
		d.clusterNames.seen[s.HSMID] = s.ClusterID
	}
	if c := d.clusterNames.seen[hsmID]; c != "" {
		return c
	}
	return "cluster-" + strings.TrimPrefix(hsmID, "hsm-")
}

// configuredClusters returns the clusters of the HSMs that a configuration names.
func configuredClusters(c *config.Config) map[string]string {
	of := map[string]string{}
	add := func(d *config.Device, cluster string) {
		of[d.HSMID] = cluster
		for _, m := range d.Members {
			of[m.HSMID] = cluster
		}
	}
	add(&c.HSM.Device, c.HSM.ClusterID)
	for i := range c.Clusters {
		add(&c.Clusters[i].Device, c.Clusters[i].ID)
	}
	return of
}
