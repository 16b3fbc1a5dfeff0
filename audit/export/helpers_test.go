package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// twoKeys makes the keys of all tests: that takes a while.
var twoKeys = sync.OnceValues(func() ([]*rsa.PrivateKey, error) {
	first, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	second, err := rsa.GenerateKey(rand.Reader, 2048)
	return []*rsa.PrivateKey{first, second}, err
})

// signer is a Signer with keys in memory.
type signer struct {
	mu      sync.Mutex
	keys    []*rsa.PrivateKey
	away    error            // why nothing can be signed
	stuck   bool             // signs when its context ends
	between func(s *signer)  // happens once between PublicKeys and Sign
	forge   func(sum []byte) // damages what is signed
	signed  int
}

func newSigner(t testing.TB) *signer {
	keys, err := twoKeys()
	must(t, err)
	return &signer{keys: keys[:1]}
}

// rotate lets another key sign.
func (s *signer) rotate(t testing.TB) {
	keys, err := twoKeys()
	must(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

func (s *signer) set(away error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *signer) PublicKeys(context.Context) (keys []cloudtrail.PublicKey, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		der := x509.MarshalPKCS1PublicKey(&k.PublicKey)
		keys = append(keys, cloudtrail.PublicKey{Fingerprint: cloudtrail.Fingerprint(der), DER: der, Created: time.Unix(1e9, 0)})
	}
	return keys, s.away
}

func (s *signer) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	s.mu.Lock()
	between := s.between
	s.between = nil
	s.mu.Unlock()
	if between != nil {
		between(s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck {
		<-ctx.Done()
		return nil, "", ctx.Err()
	}
	key := s.keys[len(s.keys)-1]
	sum := sha256.Sum256(message)
	if s.forge != nil {
		s.forge(sum[:])
	}
	s.signed++
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return signature, cloudtrail.Fingerprint(x509.MarshalPKCS1PublicKey(&key.PublicKey)), errors.Join(err, s.away)
}

// world is a trail on a real journal, and a directory that it is exported to.
type world struct {
	*testing.T
	trail   *audit.Trail
	found   journal.Recovery
	signer  *signer
	opts    Options
	log     bytes.Buffer
	written map[string][]string // eventIDs by Region, and texts by HSM
	numbers map[string]uint64   // of the HSMs' next entries
}

const home, second = "us-east-1", "eu-west-1"

func newWorld(t *testing.T) *world {
	w := &world{T: t, signer: newSigner(t), written: make(map[string][]string)}
	w.openTrail(filepath.Join(t.TempDir(), "journal"))
	w.opts = Options{
		Trail: w.trail, Journal: w.found.Journal, Directory: filepath.Join(t.TempDir(), "a", "trail"), Account: "123456789012",
		Regions: []string{home, second}, TrailName: "strongroom", Bucket: "a-bucket", Prefix: "kms", Signer: w.signer,
		ClusterOf: func(string) string { return "cluster-1" },
		Logger:    hclog.New(&hclog.LoggerOptions{Output: &w.log, Level: hclog.Info}),
	}
	return w
}

func (w *world) openTrail(dir string) {
	w.Helper()
	trail, found, err := audit.Open(audit.Options{Dir: dir, SegmentSize: 1 << 20})
	must(w, err)
	w.trail, w.found, w.numbers = trail, found, make(map[string]uint64)
	w.Cleanup(func() { must(w, trail.Close(context.Background())) })
}

func (w *world) open() *Exporter {
	w.Helper()
	e, err := Open(w.opts)
	must(w, err)
	return e
}

func (w *world) close(e *Exporter) {
	w.Helper()
	must(w, e.Close(context.Background()))
}

// events records n events of a Region, and knows where they are to be found.
func (w *world) events(region string, n int) {
	w.Helper()
	at := region
	if region != home && region != second {
		at = home
	}
	for range n {
		id := fmt.Sprintf("%s/%d", region, len(w.written[at]))
		must(w, w.trail.RecordEvent(w.Context(), &audit.APIEvent{
			EventTime: time.Now(), EventSource: "kms.amazonaws.com", EventName: "Decrypt", AWSRegion: region, EventID: id,
			UserIdentity: audit.UserIdentity{UserName: `","awsRegion":"eu-west-1`},
		}))
		w.written[at] = append(w.written[at], id)
	}
}

// hsm records n entries of an HSM.
func (w *world) hsm(id string, n int) {
	w.Helper()
	for range n {
		c := audit.HSMCommand{Function: "C_Login", Time: time.Now()}
		must(w, w.trail.QueueHSM(id, c))
		e := audit.HSMEntry{SequenceNo: w.numbers[id], Opcode: 0xd, HSMCommand: c}
		w.numbers[id]++
		w.written[id] = append(w.written[id], string(e.AppendText(nil)))
	}
	must(w, w.trail.FlushHSM(w.Context()))
}

// check wants the tree to be good, and what digests name to be what was recorded.
func (w *world) check() cloudtrail.Report {
	w.Helper()
	report, err := w.verify()
	must(w, err)
	if diff := cmp.Diff(w.written, w.named(report)); diff != "" {
		w.Fatalf("in the log files (-want +got):\n%s", diff)
	}
	return report
}

func (w *world) verify() (cloudtrail.Report, error) {
	public, err := w.signer.PublicKeys(w.Context())
	if err != nil && w.signer.away == nil {
		w.Fatal(err)
	}
	var ders [][]byte
	for _, k := range public {
		ders = append(ders, k.DER)
	}
	keys, err := cloudtrail.NewKeys(ders...)
	must(w, err)
	return cloudtrail.Check(w.Context(), os.DirFS(w.opts.Directory), keys, cloudtrail.CheckOptions{})
}

// named reads all log files that digests name.
func (w *world) named(report cloudtrail.Report) map[string][]string {
	w.Helper()
	named := make(map[string][]string)
	for _, c := range report.Chains {
		for _, d := range c.Digests {
			full, err := cloudtrail.ReadDigest(os.DirFS(w.opts.Directory), d.Object)
			must(w, err)
			for _, f := range full.LogFiles {
				stream, records := w.records(f)
				named[stream] = append(named[stream], records...)
			}
		}
	}
	return named
}

func (w *world) records(f cloudtrail.LogFile) (stream string, records []string) {
	w.Helper()
	content := w.content(f.Object)
	o, ok := cloudtrail.ParseObject(f.Object)
	if !ok {
		w.Fatalf("%s is no name of a log file", f.Object)
	}
	defer func() {
		if uint64(len(records)) != f.Journal.Records {
			w.Errorf("%s has %d records, not %d", f.Object, len(records), f.Journal.Records)
		}
	}()
	if o.Kind == cloudtrail.KindHSMLogFile {
		for text := range strings.SplitAfterSeq(string(content), "\n\n") {
			if text != "" {
				records = append(records, strings.TrimSuffix(text, "\n"))
			}
		}
		_, below, _ := strings.Cut(f.Object, "/cluster-1/")
		stream, _, _ = strings.Cut(below, "/")
		return stream, records
	}
	var log struct{ Records []struct{ EventID string } }
	must(w, json.Unmarshal(content, &log))
	for _, r := range log.Records {
		records = append(records, r.EventID)
	}
	return o.Region, records
}

func (w *world) content(name string) []byte {
	w.Helper()
	file, err := os.ReadFile(filepath.Join(w.opts.Directory, name))
	must(w, err)
	r, err := gzip.NewReader(bytes.NewReader(file))
	must(w, err)
	content, err := io.ReadAll(r)
	must(w, err)
	return content
}

// files returns how many log files there are, named or not.
func (w *world) files() (n int) {
	must(w, filepath.WalkDir(w.opts.Directory, func(path string, _ os.DirEntry, err error) error {
		o, _ := cloudtrail.ParseObject(filepath.ToSlash(path))
		if o.Kind == cloudtrail.KindLogFile || o.Kind == cloudtrail.KindHSMLogFile {
			n++
		}
		return err
	}))
	return n
}

// digests returns how many good ones a Region has.
func digests(report cloudtrail.Report, region string) []cloudtrail.Digest {
	i := slices.IndexFunc(report.Chains, func(c cloudtrail.Chain) bool { return c.Region == region })
	if i < 0 {
		return nil
	}
	return report.Chains[i].Digests
}
