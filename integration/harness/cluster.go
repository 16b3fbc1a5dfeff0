package harness

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Cluster is an HSM cluster that custom key stores can be made of: a token of its own.
type Cluster struct {
	// ID is the cluster's id; its token is in a directory of this name.
	ID string
	// Library replaces the token's library in the configuration.
	Library string
	// Env is added to the environment of its workers.
	Env map[string]string
	// HangTimeout is the configuration's hang_timeout.
	HangTimeout time.Duration
	// MinActive is the configuration's min_active_hsms; 0: it does not say.
	MinActive int
	// Members are its HSMs, if they are several.
	Members []Member

	token *Token
	ca    *CA
}

// prepare makes the cluster's token and trust anchor below dir.
func (c *Cluster) prepare(ctx context.Context, dir string) (err error) {
	dir = filepath.Join(dir, c.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of a cluster: %w", err)
	}
	if c.token, err = NewToken(ctx, dir); err != nil {
		return err
	}
	c.ca, err = NewCA(dir, "trust-anchor")
	return err
}

// write writes what the configuration says of the cluster.
func (c *Cluster) write(b *strings.Builder) {
	fmt.Fprintf(b, "  - id: %s\n    trust_anchor: %q\n    library: %q\n    token: {label: %q}\n    profile: softhsm\n",
		c.ID, c.ca.Cert, orDefault(c.Library, c.token.Library), TokenLabel)
	if c.MinActive != 0 {
		fmt.Fprintf(b, "    min_active_hsms: %d\n", c.MinActive)
	}
	if c.HangTimeout != 0 {
		fmt.Fprintf(b, "    hang_timeout: %v\n", c.HangTimeout)
	}
	env := c.token.environment(c.Env)
	writeEnv(b, "    ", env)
	writeMembers(b, "    ", c.Members, env)
}

// environment is that of a worker of the token, with more.
func (t *Token) environment(more map[string]string) map[string]string {
	env := map[string]string{"SOFTHSM2_CONF": t.Conf}
	maps.Copy(env, more)
	return env
}

// NewStore makes a custom key store of a cluster of the site's, begins to connect it,
// and returns its id.
func (c *Client) NewStore(ctx context.Context, s *Site, clusterID string) (string, error) {
	for i := range s.options.Clusters {
		if of := &s.options.Clusters[i]; of.ID == clusterID {
			return c.newStore(ctx, of)
		}
	}
	return "", fmt.Errorf("the site has no cluster %s", clusterID)
}

func (c *Client) newStore(ctx context.Context, of *Cluster) (string, error) {
	anchor, err := os.ReadFile(of.ca.Cert)
	if err != nil {
		return "", fmt.Errorf("reading the trust anchor: %w", err)
	}
	made, err := c.KMS.CreateCustomKeyStore(ctx, &kmsv1.CreateCustomKeyStoreRequest{
		CustomKeyStoreName: &of.ID, CloudHsmClusterId: &of.ID,
		KeyStorePassword: &of.token.PIN, TrustAnchorCertificate: new(string(anchor)),
	})
	if err != nil {
		return "", fmt.Errorf("making a custom key store: %w", err)
	}
	_, err = c.KMS.ConnectCustomKeyStore(ctx, &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: made.CustomKeyStoreId})
	if err != nil {
		return "", fmt.Errorf("connecting the custom key store: %w", err)
	}
	return made.GetCustomKeyStoreId(), nil
}
