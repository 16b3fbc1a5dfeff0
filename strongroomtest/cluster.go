package strongroomtest

import (
	"bytes"
	"os"

	"github.com/strongroom-kms/strongroom/internal/devserver"
)

// Cluster is what CreateCustomKeyStore wants to know of an HSM cluster.
type Cluster struct {
	// ID is the CloudHsmClusterId.
	ID string
	// Password is the KeyStorePassword: 26 letters and digits.
	Password string
	// TrustAnchor is the TrustAnchorCertificate, in PEM.
	TrustAnchor string
}

// Cluster is the cluster of that ID, see WithCluster.
func (s *Server) Cluster(id string) Cluster {
	s.t.Helper()
	for _, c := range s.current().site.Clusters {
		if c.ID == id {
			return s.read(c)
		}
	}
	s.t.Fatalf("there is no cluster %q: see WithCluster", id)
	return Cluster{}
}

// read reads the cluster's files.
func (s *Server) read(c devserver.Cluster) Cluster {
	s.t.Helper()
	password, err := os.ReadFile(c.Password)
	if err != nil {
		s.t.Fatalf("reading the password of %s: %v", c.ID, err)
	}
	anchor, err := os.ReadFile(c.TrustAnchor)
	if err != nil {
		s.t.Fatalf("reading the trust anchor of %s: %v", c.ID, err)
	}
	return Cluster{ID: c.ID, Password: string(bytes.TrimSpace(password)), TrustAnchor: string(anchor)}
}
