package devserver

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/devpki"
)

// ClusterOptions describe an HSM cluster that custom key stores can be made of.
type ClusterOptions struct {
	// ID is the cluster's id, as config.Cluster has it, and the name of its
	// directory.
	ID string
	// RequestsPerSecond is that of config.Cluster.
	RequestsPerSecond int
	// RelatedTo is the id of a cluster before this one, whose trust anchor this one
	// has too, though not its keys. Empty: a trust anchor of its own.
	RelatedTo string
}

// Cluster is what a custom key store of an HSM cluster is made with. Its paths are
// absolute.
type Cluster struct {
	// ID is the cluster's id.
	ID string
	// Password is the file with the password of the cluster's user, and TrustAnchor
	// the PEM file with the certificate that the cluster is known by.
	Password, TrustAnchor string

	options ClusterOptions
	token   token
}

// prepareClusters makes what is missing for the clusters, but for their tokens.
func (s *Site) prepareClusters(o Options) error {
	for _, c := range o.Clusters {
		if !namePattern.MatchString(c.ID) {
			return fmt.Errorf("%q cannot be the id of a cluster", c.ID)
		}
		t := newToken(s.path(filepath.Join("clusters", c.ID)), c.ID, o.WorkerEnv)
		if err := t.prepare(); err != nil {
			return err
		}
		anchor, err := s.trustAnchor(c, t.dir)
		if err != nil {
			return err
		}
		s.Clusters = append(s.Clusters, Cluster{ID: c.ID, Password: t.pin(), TrustAnchor: anchor, options: c, token: t})
	}
	return nil
}

// trustAnchor returns the certificate of the cluster that it is related to, or else
// one in its own directory.
func (s *Site) trustAnchor(c ClusterOptions, dir string) (string, error) {
	if c.RelatedTo == "" {
		ca, err := devpki.Open(dir)
		if err != nil {
			return "", err
		}
		return ca.File, nil
	}
	i := slices.IndexFunc(s.Clusters, func(other Cluster) bool { return other.ID == c.RelatedTo })
	if i < 0 {
		return "", fmt.Errorf("%s is related to %s, which does not stand before it", c.ID, c.RelatedTo)
	}
	return s.Clusters[i].TrustAnchor, nil
}

// config is what a configuration file would say of the cluster.
func (c Cluster) config(library string) config.Cluster {
	return config.Cluster{
		ID:                c.ID,
		Device:            c.token.device(library),
		TrustAnchor:       c.TrustAnchor,
		RequestsPerSecond: c.options.RequestsPerSecond,
	}
}
