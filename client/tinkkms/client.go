package tinkkms

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Scheme is what the URI of every key begins with.
const Scheme = "strongroom-kms://"

// arnPattern matches the ARN of a key or of an alias.
var arnPattern = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9:/_-]+)$`)

// Client gives out the keys of a server. It is a registry.KMSClient.
type Client struct {
	prefix string
	kms    kmsv1.KeyManagementServiceClient
}

// NewClient returns a Client for the URIs that begin with prefix: Scheme for every
// key, or more of a URI, so that several servers can be registered side by side.
// The KMS is the one of a client.Client.
func NewClient(prefix string, kms kmsv1.KeyManagementServiceClient) (*Client, error) {
	if !strings.HasPrefix(prefix, Scheme) {
		return nil, fmt.Errorf("prefix %q does not begin with %s", prefix, Scheme)
	}
	return &Client{prefix: prefix, kms: kms}, nil
}

// Supported reports whether the client is for the URI. It is part of
// registry.KMSClient.
func (c *Client) Supported(keyURI string) bool { return strings.HasPrefix(keyURI, c.prefix) }

// GetAEAD is Key for Tink: it is part of registry.KMSClient. What it returns is a
// tink.AEADWithContext too.
func (c *Client) GetAEAD(keyURI string) (tink.AEAD, error) {
	key, err := c.Key(keyURI)
	if err != nil {
		return nil, err // a nil *Key would be an AEAD
	}
	return key, nil
}

// Key returns the key with that URI. It does not ask the server whether there is
// one.
func (c *Client) Key(keyURI string) (*Key, error) {
	if !c.Supported(keyURI) {
		return nil, fmt.Errorf("key URI %q does not begin with %s", keyURI, c.prefix)
	}
	arn := strings.TrimPrefix(keyURI, Scheme)
	if !arnPattern.MatchString(arn) {
		return nil, fmt.Errorf("key URI %q is not %s and the ARN of a key or an alias", keyURI, Scheme)
	}
	return &Key{arn: arn, kms: c.kms}, nil
}
