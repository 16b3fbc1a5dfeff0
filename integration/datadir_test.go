package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/integration/harness"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// goldenArchives are the data directories in testdata/datadir, one of each
// format and of each way to end; README.md there says how they were made.
var goldenArchives = []string{"v1-stopped", "v1-killed", "v1-lifecycle"}

// Servers open the data directories of older ones: the keys are there, the
// ciphertexts decrypt, what was cut off is settled, the old records stand
// unchanged in a good journal, and it goes on from there.
func TestOlderDataDirectories(t *testing.T) {
	t.Parallel()
	for _, name := range goldenArchives {
		t.Run(name, func(t *testing.T) {
			site, golden := unpackSite(t, name)
			if report := expectRecords(t, site, golden); report.Head.String() != golden.Head {
				t.Errorf("the head of the journal is %v, want %s", report.Head, golden.Head)
			}
			server := start(t, site)
			client := dial(t, site, server, harness.Admin)
			golden.expect(t, client)
			for _, key := range []string{golden.Keys[0].ARN, newKey(t, client)} {
				if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
					t.Errorf("using %s: %v", key, err)
				}
			}
			stop(t, server.Process)
			mustRun(t, nil, "audit", "verify", site.DataDir)
			expectRecords(t, site, golden)
		})
	}
}

// goldenName is the file in which an archive says what it holds.
const goldenName = "golden.json"

// goldenData is what a server must find in a golden data directory.
type goldenData struct {
	Keys        []goldenKey        `json:"keys"`
	Ciphertexts []goldenCiphertext `json:"ciphertexts"`
	// Aliases are the ARNs of the keys by alias.
	Aliases map[string]string `json:"aliases,omitempty"`
	// Records and Events count those of the journal, and Head is its chain's
	// value. Digest is what journalDigest makes of the records.
	Records uint64 `json:"records"`
	Events  uint64 `json:"events"`
	Head    string `json:"head"`
	Digest  string `json:"digest"`
	// Unsettled are the requests with an intent and no event.
	Unsettled []string `json:"unsettled,omitempty"`
}

type goldenKey struct {
	ARN         string `json:"arn"`
	Description string `json:"description"`
	// MaterialID names the material that encrypts.
	MaterialID string `json:"materialId"`
	// State and DeletionDate are those of DescribeKey; older archives have none.
	State        string    `json:"state,omitempty"`
	DeletionDate time.Time `json:"deletionDate,omitzero"`
}

func newGoldenKey(m *kmsv1.KeyMetadata) goldenKey {
	k := goldenKey{ARN: m.GetArn(), Description: m.GetDescription(), MaterialID: m.GetCurrentKeyMaterialId(), State: describe.WireName(m.GetKeyState())}
	if m.DeletionDate != nil {
		k.DeletionDate = m.GetDeletionDate().AsTime()
	}
	return k
}

// goldenCiphertext is an answer that a client has received.
type goldenCiphertext struct {
	KeyARN    string            `json:"keyArn"`
	Context   map[string]string `json:"context,omitempty"`
	Plaintext []byte            `json:"plaintext"`
	Blob      []byte            `json:"blob"`
	RequestID string            `json:"requestId"`
}

// expect expects that a server has everything.
func (g *goldenData) expect(t *testing.T, client *harness.Client) {
	t.Helper()
	listed := listKeys(t, client)
	for _, want := range g.Keys {
		if !slices.Contains(listed, want.ARN) {
			t.Errorf("%s is not listed", want.ARN)
			continue
		}
		got := newGoldenKey(describeKey(t, client, want.ARN))
		if want.State == "" {
			want.State = got.State
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a key was (-), and is (+):\n%s", diff)
		}
	}
	for alias, key := range g.Aliases {
		if got := describeKey(t, client, alias).GetArn(); got != key {
			t.Errorf("%s names %s, want %s", alias, got, key)
		}
	}
	answers := make([]answer, 0, len(g.Ciphertexts)+len(g.Unsettled))
	for _, c := range g.Ciphertexts {
		c.expect(t, client)
		answers = append(answers, answer{requestID: c.RequestID})
	}
	for _, id := range g.Unsettled {
		answers = append(answers, answer{requestID: id})
	}
	events := allEvents(t, client)
	expectAnswered(t, answers, events)
	if uint64(len(events)) < g.Events {
		t.Errorf("%d events are answered, want the %d old ones", len(events), g.Events)
	}
}

// expect expects that a ciphertext decrypts under its key and context.
func (c goldenCiphertext) expect(t *testing.T, client *harness.Client) {
	t.Helper()
	res, err := client.KMS.Decrypt(within(t, 10*time.Second), &kmsv1.DecryptRequest{CiphertextBlob: c.Blob, EncryptionContext: c.Context})
	if err != nil || !bytes.Equal(res.GetPlaintext(), c.Plaintext) || res.GetKeyId() != c.KeyARN {
		t.Errorf("the ciphertext of request %s decrypts to %q under %q, %v; want %q under %q",
			c.RequestID, res.GetPlaintext(), res.GetKeyId(), err, c.Plaintext, c.KeyARN)
	}
}

func describeKey(t *testing.T, client *harness.Client, key string) *kmsv1.KeyMetadata {
	t.Helper()
	res, err := client.KMS.DescribeKey(within(t, 10*time.Second), &kmsv1.DescribeKeyRequest{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	return res.GetKeyMetadata()
}

// expectRecords expects that the journal is good and begins with the old
// records.
func expectRecords(t *testing.T, site *harness.Site, golden *goldenData) journal.Report {
	t.Helper()
	digest, report := journalDigest(t, site.DataDir, golden.Records)
	if digest != golden.Digest {
		t.Errorf("the first %d records have the digest %s, want %s", golden.Records, digest, golden.Digest)
	}
	return report
}

// digested is what of a record the digest of an archive covers: not its hash,
// which Head stands for.
type digested struct {
	Seq  uint64
	Time time.Time
	Kind byte
	Body []byte
}

// journalDigest is the SHA-256 over the first n records of a journal, each as a
// line of JSON.
func journalDigest(t *testing.T, dataDir string, n uint64) (string, journal.Report) {
	t.Helper()
	sum := sha256.New()
	lines := json.NewEncoder(sum)
	report, err := journal.Inspect(filepath.Join(dataDir, "journal"), func(r journal.Record) error {
		if r.Seq > n {
			return nil
		}
		return lines.Encode(digested{r.Seq, r.Time, r.Kind, r.Body})
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil)), report
}

// unpackSite makes a site of an archive's data directory, token and PIN.
func unpackSite(t *testing.T, name string) (*harness.Site, *goldenData) {
	t.Helper()
	dir := t.TempDir()
	unpack(t, filepath.Join("testdata", "datadir", name+".tar.gz"), dir)
	site, err := harness.NewSite(t.Context(), harness.Options{Binary: binary, Dir: dir, Token: unpackedToken(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, goldenName))
	if err != nil {
		t.Fatal(err)
	}
	golden := new(goldenData)
	if err := json.Unmarshal(text, golden); err != nil {
		t.Fatal(err)
	}
	return site, golden
}

// unpackedToken is the token in a directory that an archive was unpacked to.
func unpackedToken(t *testing.T, dir string) *harness.Token {
	t.Helper()
	library, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	token := &harness.Token{
		Library: library,
		Conf:    filepath.Join(dir, "softhsm2.conf"),
		Store:   filepath.Join(dir, "tokens"),
		PINFile: filepath.Join(dir, "pin"),
	}
	conf := "directories.tokendir = " + token.Store + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.WriteFile(token.Conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return token
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, header.Name), r)
	}
}

func writeFile(t *testing.T, path string, content io.Reader) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
