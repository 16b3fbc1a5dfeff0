package auditcheck

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/export"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signer signs digests with a key in memory.
type signer struct{ key *rsa.PrivateKey }

func (s signer) der() []byte { return x509.MarshalPKCS1PublicKey(&s.key.PublicKey) }

func (s signer) PublicKeys(context.Context) ([]cloudtrail.PublicKey, error) {
	return []cloudtrail.PublicKey{{Fingerprint: cloudtrail.Fingerprint(s.der()), DER: s.der()}}, nil
}

func (s signer) Sign(_ context.Context, message []byte) ([]byte, string, error) {
	sum := sha256.Sum256(message)
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	return signature, cloudtrail.Fingerprint(s.der()), err
}

func openTrail(t *testing.T, dir string) (*audit.Trail, journal.ID) {
	t.Helper()
	trail, found, err := audit.Open(audit.Options{Dir: dir, SegmentSize: 1 << 20})
	must(t, err)
	return trail, found.Journal
}

func record(t *testing.T, trail *audit.Trail) {
	t.Helper()
	must(t, trail.RecordEvent(t.Context(), &audit.APIEvent{EventTime: time.Now(), EventName: "Encrypt", AWSRegion: "us-east-1", EventID: "id"}))
}

// signed makes a journal, and exports it with digests.
func signed(t *testing.T) (o Options) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	by := signer{key}
	o = Options{Journal: filepath.Join(t.TempDir(), "journal"), Export: filepath.Join(t.TempDir(), "trail")}
	o.Keys, err = cloudtrail.NewKeys(by.der())
	must(t, err)
	trail, id := openTrail(t, o.Journal)
	record(t, trail)
	e, err := export.Open(export.Options{
		Trail: trail, Journal: id, Directory: o.Export, Account: "123456789012", Regions: []string{"us-east-1"},
		TrailName: "strongroom", Bucket: "a-bucket", Signer: by, ClusterOf: func(string) string { return "cluster-1" },
	})
	must(t, err)
	must(t, e.Close(t.Context()))
	must(t, trail.Close(t.Context()))
	return o
}

// A journal whose beginning was removed has to go on in what digests sign: one that begins
// behind that may be any journal.
func TestAJournalThatBeginsBehindTheNewestDigest(t *testing.T) {
	t.Parallel()
	o := signed(t)
	result, err := Check(t.Context(), o)
	must(t, err)
	if len(result.Faults) > 0 {
		t.Fatalf("of a good journal: %+v", result.Faults)
	}
	trail, _ := openTrail(t, o.Journal) // in a segment of its own
	last := result.Journal.Last
	record(t, trail)
	_, err = trail.Trim(t.Context(), last+1)
	must(t, err)
	must(t, trail.Close(t.Context()))

	result, err = Check(t.Context(), o)
	must(t, err)
	behind := func(f Fault) bool { return f.Record == last+1 && strings.Contains(f.Reason, "behind record") }
	if !slices.ContainsFunc(result.Faults, behind) {
		t.Errorf("of a journal from record %d on, with digests up to %d: %+v", result.Journal.Removed+1, last, result.Faults)
	}
	o.Export = ""
	if result, err = Check(t.Context(), o); err != nil || len(result.Faults) > 0 {
		t.Errorf("without digests: %+v, %v", result.Faults, err)
	}
}
