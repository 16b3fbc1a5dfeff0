package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/strongroom-kms/strongroom/audit/ship"
)

// bucket is the bucket that files are sent to.
type bucket struct {
	client    *minio.Client
	transport *http.Transport
	name      string
}

// object is a file as it is to be in the bucket.
type object struct {
	key, contentType string
	content          []byte
	metadata         map[string]string
	replace          bool // another one of this name
}

// conflict says that there is another object of the same name in the bucket.
type conflict struct{ key string }

// Error implements error.
func (c *conflict) Error() string {
	return fmt.Sprintf("object %s is in the bucket already, with other content: it is not overwritten", c.key)
}

func newBucket(o Options) (*bucket, error) {
	endpoint, err := ship.ParseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	config, err := ship.TLSConfig(o.CA)
	if err != nil {
		return nil, err
	}
	keys := accessKeyFile(o.AccessKeyFile)
	if _, err := keys.Retrieve(); err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupDNS
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	transport, err := minio.DefaultTransport(endpoint.Scheme == "https")
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the bucket: %w", err)
	}
	transport.TLSClientConfig = config
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.New(keys), Secure: endpoint.Scheme == "https", Transport: transport,
		Region: o.Region, BucketLookup: lookup, MaxRetries: 1, // the sink tries again itself
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the bucket: %w", err)
	}
	return &bucket{client, transport, o.Bucket}, nil
}

func (b *bucket) close() { b.transport.CloseIdleConnections() }

// put stores an object; the server checks its MD5. One that is there already has to be
// the same, unless it is to be replaced.
func (b *bucket) put(ctx context.Context, o object) error {
	options := minio.PutObjectOptions{
		ContentType: o.contentType, UserMetadata: o.metadata, SendContentMd5: true, DisableMultipart: true,
	}
	if !o.replace {
		options.SetMatchETagExcept("*")
	}
	_, err := b.client.PutObject(ctx, b.name, o.key, bytes.NewReader(o.content), int64(len(o.content)), options)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return b.compare(ctx, o)
	}
	if err != nil {
		return fmt.Errorf("storing object %s: %w", o.key, err)
	}
	return nil
}

// compare returns nil if the bucket has this object.
func (b *bucket) compare(ctx context.Context, o object) (err error) {
	defer func() {
		if different := (*conflict)(nil); err != nil && !errors.As(err, &different) {
			err = fmt.Errorf("comparing object %s, which is in the bucket already: %w", o.key, err)
		}
	}()
	there, err := b.client.GetObject(ctx, b.name, o.key, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	content, err := io.ReadAll(io.LimitReader(there, int64(len(o.content))+1))
	info, infoErr := there.Stat()
	if err := errors.Join(err, infoErr, there.Close()); err != nil {
		return err
	}
	if !bytes.Equal(content, o.content) || !sameMetadata(info.UserMetadata, o.metadata) {
		return &conflict{o.key}
	}
	return nil
}

// sameMetadata compares names as HTTP does.
func sameMetadata(there, want map[string]string) bool {
	folded := make(map[string]string, len(there))
	for name, value := range there {
		folded[strings.ToLower(name)] = value
	}
	for name, value := range want {
		if folded[strings.ToLower(name)] != value {
			return false
		}
	}
	return true
}

// accessKeyFile is a file with an access key: its id in the first line, the secret in the
// second. It is read for each request, so that a key can be replaced.
type accessKeyFile string

var _ credentials.Provider = accessKeyFile("")

// RetrieveWithCredContext implements credentials.Provider.
func (f accessKeyFile) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return f.Retrieve()
}

// Retrieve implements credentials.Provider. Its errors do not quote the file.
func (f accessKeyFile) Retrieve() (credentials.Value, error) {
	content, err := os.ReadFile(string(f))
	if err != nil {
		return credentials.Value{}, fmt.Errorf("reading the access key of the bucket: %w", err)
	}
	fields := strings.Fields(string(content))
	if len(fields) != 2 {
		return credentials.Value{}, fmt.Errorf("%s does not hold two lines, the id of an access key and its secret", string(f))
	}
	return credentials.Value{AccessKeyID: fields[0], SecretAccessKey: fields[1], SignerType: credentials.SignatureV4}, nil
}

// IsExpired implements credentials.Provider.
func (f accessKeyFile) IsExpired() bool { return true }
