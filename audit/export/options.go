package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Defaults of Options; the periods are CloudTrail's.
const (
	DefaultLogFilePeriod = 5 * time.Minute
	DefaultLogFileSize   = 8 << 20
	DefaultDigestPeriod  = time.Hour
	DefaultDigestSize    = 256 << 20
)

// Trail is what is exported: an audit.Trail.
type Trail interface {
	// Records yields the durable records after a number.
	Records(ctx context.Context, after uint64, follow bool) iter.Seq2[audit.Record, error]
	// Reader returns a reader of the durable records after a number.
	Reader(after uint64) *audit.Reader
	// Head is the newest durable point.
	Head() journal.Head
}

// Signer signs digests. Its methods are called one at a time, with a context that
// bounds them.
type Signer interface {
	// PublicKeys returns every key that has signed digests, oldest first; the last
	// one signs now.
	PublicKeys(ctx context.Context) ([]cloudtrail.PublicKey, error)
	// Sign returns the signature of the message (RSASSA-PKCS1-v1_5 with SHA-256,
	// which it computes) and the fingerprint of the key that made it.
	Sign(ctx context.Context, message []byte) (signature []byte, fingerprint string, err error)
}

// Options says what is exported, and how.
type Options struct {
	// Trail is what is exported, and Journal the id of its journal.
	Trail   Trail
	Journal journal.ID
	// AcceptNewJournal lets a directory that has another journal's trail go on
	// with this one's.
	AcceptNewJournal bool
	// Directory is where the tree of files is. It is made if missing.
	Directory string
	// Account is the account's number, 12 digits.
	Account string
	// Regions are the service's; the first is the home Region, whose digests name the
	// HSM logs too.
	Regions []string
	// TrailName is the trail's name, as CloudTrail allows it.
	TrailName string
	// Bucket and Prefix are what digests say of where the files are. Prefix may be
	// empty, and has no slash at its ends.
	Bucket, Prefix string
	// LogFilePeriod is for how long a record waits until the log files that it is in
	// are ended; 0 means DefaultLogFilePeriod.
	LogFilePeriod time.Duration
	// LogFileSize is the size, in bytes before compression, at which they are ended
	// earlier; 0 means DefaultLogFileSize.
	LogFileSize int64
	// DigestPeriod is the time between digests; 0 means DefaultDigestPeriod.
	DigestPeriod time.Duration
	// DigestSize is how much, in bytes before compression, is exported until there is
	// a digest earlier; 0 means DefaultDigestSize.
	DigestSize int64
	// Signer signs the digests.
	Signer Signer
	// ClusterOf names the cluster of an HSM.
	ClusterOf func(hsmID string) string
	// Logger receives each digest and each fault. It may be nil.
	Logger hclog.Logger

	// before is called before each change of the directory, and may forbid it: tests
	// stop there.
	before func(operation, path string) error
}

func (o *Options) setDefaults() {
	o.LogFilePeriod = positive(o.LogFilePeriod, DefaultLogFilePeriod)
	o.LogFileSize = positive(o.LogFileSize, DefaultLogFileSize)
	o.DigestPeriod = positive(o.DigestPeriod, DefaultDigestPeriod)
	o.DigestSize = positive(o.DigestSize, DefaultDigestSize)
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.before == nil {
		o.before = func(string, string) error { return nil }
	}
}

func positive[T time.Duration | int64](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}

func (o *Options) check() error {
	switch {
	case o.Trail == nil || o.Signer == nil || o.ClusterOf == nil:
		return errors.New("a trail, a signer and the HSMs' clusters are needed")
	case o.Directory == "":
		return errors.New("a directory is needed")
	case o.Bucket == "":
		return errors.New("a bucket's name is needed: digests say where they are, also in a directory")
	case len(o.Regions) == 0:
		return errors.New("at least one Region is needed")
	}
	for _, region := range o.Regions {
		if err := cloudtrail.ValidateRegion(region); err != nil {
			return err
		}
	}
	if err := o.names().Validate(); err != nil {
		return fmt.Errorf("names of the files: %w", err)
	}
	return nil
}

func (o *Options) names() cloudtrail.Names {
	return cloudtrail.Names{Prefix: o.Prefix, Account: o.Account, Home: o.Regions[0], Trail: o.TrailName}
}
