package s3

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/export"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/audit/ship"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something may take that does not fail.
const patience = 30 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signer signs with a key in memory.
type signer struct{ key *rsa.PrivateKey }

func (s signer) PublicKeys(context.Context) ([]cloudtrail.PublicKey, error) {
	der := x509.MarshalPKCS1PublicKey(&s.key.PublicKey)
	return []cloudtrail.PublicKey{{Fingerprint: cloudtrail.Fingerprint(der), DER: der, Created: time.Unix(1e9, 0)}}, nil
}

func (s signer) Sign(_ context.Context, message []byte) ([]byte, string, error) {
	sum := sha256.Sum256(message)
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	return signature, cloudtrail.Fingerprint(x509.MarshalPKCS1PublicKey(&s.key.PublicKey)), err
}

// site is a trail that is exported to a directory, and that is to be in a bucket.
type site struct {
	dir      string
	trail    *audit.Trail
	journal  journal.ID
	signer   signer
	exporter *export.Exporter
	gateway  *gateway
}

var regions = []string{"us-east-1", "eu-west-1"}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), gateway: newGateway(t)}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	s.signer = signer{key}
	trail, recovery, err := audit.Open(audit.Options{Dir: filepath.Join(s.dir, "journal")})
	must(t, err)
	s.trail, s.journal = trail, recovery.Journal
	t.Cleanup(func() { must(t, trail.Close(context.Background())) })
	s.exporter, err = export.Open(export.Options{
		Trail: trail, Journal: s.journal, Directory: s.tree(), Account: "123456789012", Regions: regions,
		TrailName: "strongroom", Bucket: "trails", Prefix: "kms", Signer: s.signer, ClusterOf: func(string) string { return "cluster-1" },
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.exporter.Close(context.Background())) })
	must(t, os.WriteFile(s.keyFile(), []byte(accessKey+"\n"+secretKey+"\n"), 0o600))
	return s
}

func (s *site) tree() string    { return filepath.Join(s.dir, "trail") }
func (s *site) keyFile() string { return filepath.Join(s.dir, "key") }

// open begins to send, until the test's end.
func (s *site) open(t *testing.T) *Sink {
	t.Helper()
	sink, err := Open(Options{
		Endpoint: "http://" + s.gateway.address, Region: "us-east-1", Bucket: "trails", PathStyle: true, AccessKeyFile: s.keyFile(),
		Required: true, Directory: s.tree(), Names: cloudtrail.Names{Prefix: "kms", Account: "123456789012", Home: regions[0], Trail: "strongroom"},
		Regions: regions, Journal: s.journal, Trail: s.trail, Cursor: filepath.Join(s.dir, "cursors", "s3.json"),
		lookInterval: 10 * time.Millisecond,
	})
	must(t, err)
	closed := false
	t.Cleanup(func() {
		if !closed {
			closed = true
			must(t, sink.Close(context.Background()))
		}
	})
	return sink
}

// record records an event of each Region and has a digest made of them.
func (s *site) record(t *testing.T) uint64 {
	t.Helper()
	for _, region := range regions {
		must(t, s.trail.RecordEvent(t.Context(), &audit.APIEvent{
			EventTime: time.Now(), EventSource: "kms.amazonaws.com", EventName: "Encrypt", AWSRegion: region, RecipientAccountID: "123456789012",
		}))
	}
	seq := s.trail.Head().Seq
	must(t, s.exporter.Digest(t.Context()))
	return seq
}

// awaitTaken waits until the bucket has all up to a record.
func awaitTaken(t *testing.T, s *Sink, seq uint64) {
	t.Helper()
	await(t, s, func(status ship.Status) bool { return status.Sequence >= seq })
}

func await(t *testing.T, s *Sink, want func(ship.Status) bool) ship.Status {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		status := s.Status()
		if want(status) {
			return status
		}
		if time.Now().After(end) {
			t.Fatalf("the sink's status stays %+v", status)
		}
	}
}

// checkBucket checks that the bucket has the tree: every file, unchanged, digests with their
// signature as metadata; and that it verifies.
func (s *site) checkBucket(t *testing.T) {
	t.Helper()
	objects, tree := s.gateway.objects(t), os.DirFS(s.tree())
	digests := 0
	must(t, fs.WalkDir(tree, "kms", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		must(t, err)
		info, there := objects[name]
		if !there || !bytes.Equal(content, s.gateway.content(t, name)) {
			t.Errorf("%s is not in the bucket as it is in the directory (there: %t)", name, there)
			return nil
		}
		delete(objects, name)
		if o, _ := cloudtrail.ParseObject(name); o.Kind == cloudtrail.KindDigest {
			digests++
			checkSignature(t, tree, name, info.UserMetadata)
		}
		return nil
	}))
	for name := range objects {
		t.Errorf("%s is in the bucket and not in the directory", name)
	}
	if digests == 0 {
		t.Error("there is no digest")
	}
	keys, err := cloudtrail.NewKeys(x509.MarshalPKCS1PublicKey(&s.signer.key.PublicKey))
	must(t, err)
	if _, err := cloudtrail.Check(t.Context(), os.DirFS(filepath.Join(s.gateway.dir, "root", "trails")), keys, cloudtrail.CheckOptions{}); err != nil {
		t.Errorf("the bucket does not verify: %v", err)
	}
}

func checkSignature(t *testing.T, tree fs.FS, name string, metadata map[string]string) {
	t.Helper()
	digest, err := cloudtrail.ReadDigest(tree, name)
	must(t, err)
	want := map[string]string{"signature": digest.Signature, "signature-algorithm": "SHA256withRSA"}
	if !sameMetadata(metadata, want) {
		t.Errorf("metadata of %s: %v, want %v", name, metadata, want)
	}
}

// The bucket has the directory, and says up to where.
func TestTheBucketHasTheTree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sink := s.open(t)
	for range 3 {
		awaitTaken(t, sink, s.record(t))
	}
	s.checkBucket(t)
	if got := sink.Status(); got.Errors != 0 || got.Name != "s3" || !got.Required {
		t.Errorf("status: %+v", got)
	}
}

// What Close of the exporter writes at the end is sent by Close of the sink.
func TestTheLastDigestIsSent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sink := s.open(t)
	awaitTaken(t, sink, s.record(t))
	must(t, s.trail.RecordEvent(t.Context(), &audit.APIEvent{EventTime: time.Now(), EventName: "Decrypt", AWSRegion: regions[0]}))
	seq := s.trail.Head().Seq
	must(t, s.exporter.Close(t.Context()))
	close(sink.ending)
	<-sink.done
	if taken, err := sink.Taken(); err != nil || taken < seq {
		t.Errorf("taken %d, %v, want %d", taken, err, seq)
	}
	s.checkBucket(t)
	sink.ending = make(chan struct{}) // for Close
}

// A server that is away at the start, and killed in the middle, gets everything in the end.
func TestAnAbsentServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.gateway.stop()
	s.record(t)
	sink := s.open(t)
	if got := await(t, sink, func(s ship.Status) bool { return s.Errors > 1 }); got.Sequence != 0 || got.LagRecords == 0 || got.Blocked {
		t.Errorf("status while the server is away: %+v", got)
	}
	s.gateway.start(t)
	awaitTaken(t, sink, s.record(t))
	s.gateway.stop()
	seq := s.record(t)
	s.gateway.start(t)
	awaitTaken(t, sink, seq)
	s.checkBucket(t)
}

// A sink that has lost its cursor finds its files in the bucket.
func TestALostCursor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sink := s.open(t)
	awaitTaken(t, sink, s.record(t))
	close(sink.ending)
	<-sink.done
	sink.ending = make(chan struct{})
	before := s.gateway.objects(t)
	must(t, os.Remove(filepath.Join(s.dir, "cursors", "s3.json")))
	sink = s.open(t)
	awaitTaken(t, sink, s.record(t))
	s.checkBucket(t)
	for name, object := range s.gateway.objects(t) {
		if old, there := before[name]; there && !strings.HasSuffix(name, "public-keys.json") && !old.LastModified.Equal(object.LastModified) {
			t.Errorf("%s was written again", name)
		}
	}
}

// An object that somebody else has written is not overwritten: the sink stops there.
func TestAForeignObject(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.record(t)
	newest, err := cloudtrail.NewestDigests(os.DirFS(s.tree()), cloudtrail.Names{Prefix: "kms", Account: "123456789012", Home: regions[0], Trail: "strongroom"})
	must(t, err)
	key := newest[regions[1]]
	s.gateway.plant(t, key, "forged")
	sink := s.open(t)
	got := await(t, sink, func(s ship.Status) bool { return s.Blocked })
	if got.Sequence != 0 || !strings.Contains(got.LastError, key) || string(s.gateway.content(t, key)) != "forged" {
		t.Errorf("status %+v, object %q", got, s.gateway.content(t, key))
	}
}

// A wrong secret costs nothing, and is in no error.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const wrong = "wrong-and-secret-all-the-same"
	must(t, os.WriteFile(s.keyFile(), []byte(accessKey+"\n"+wrong+"\n"), 0o600))
	seq := s.record(t)
	sink := s.open(t)
	got := await(t, sink, func(s ship.Status) bool { return s.Errors > 0 })
	if strings.Contains(got.LastError, wrong) || got.Sequence != 0 {
		t.Errorf("status: %+v", got)
	}
	must(t, os.WriteFile(s.keyFile(), []byte(accessKey+"\n"+secretKey+"\n"), 0o600))
	awaitTaken(t, sink, seq)
	s.checkBucket(t)
}

func TestBefore(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for dir, want := range map[string]bool{
		"AWSLogs/1/CloudTrail/us-east-1": false, "a/2025": true, "a/2026": false, "a/2026/02": true, "a/2026/03": false,
		"a/2026/03/01": true, "a/2026/03/02": false, "a/2027": false, "a/2027/01": false, "a/2027/01/01": false,
	} {
		if before(dir, since) != want {
			t.Errorf("before(%s) is %t", dir, !want)
		}
	}
}
