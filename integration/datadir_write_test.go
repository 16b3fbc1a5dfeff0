package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// TestWriteDataDirectories writes golden data directories as the server of this
// commit leaves them, to the directory named by STRONGROOM_WRITE_DATADIRS; see
// testdata/datadir/README.md.
func TestWriteDataDirectories(t *testing.T) {
	out := os.Getenv("STRONGROOM_WRITE_DATADIRS")
	if out == "" {
		t.Skip("STRONGROOM_WRITE_DATADIRS names no directory")
	}
	for name, fill := range map[string]func(*testing.T, *harness.Site, *goldenData){
		"stopped":   fillAndStop,
		"killed":    fillAndKill,
		"lifecycle": fillLifecycle,
	} {
		t.Run(name, func(t *testing.T) {
			site, golden := newSite(t, harness.Options{}), new(goldenData)
			fill(t, site, golden)
			golden.look(t, site.DataDir)
			if name == "killed" && len(golden.Unsettled) == 0 {
				t.Fatal("no request was cut off; try again")
			}
			pack(t, filepath.Dir(site.DataDir), golden, filepath.Join(out, name+".tar.gz"))
		})
	}
}

// fillAndStop makes keys and ciphertexts, one key with two generations of
// material, and stops the server.
func fillAndStop(t *testing.T, site *harness.Site, g *goldenData) {
	t.Helper()
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	renewed := g.create(t, client, "Payments, Zürich: \"card data\"")
	other := g.create(t, client, "")
	g.create(t, client, "never used")
	g.encrypt(t, client, renewed, nil)
	g.encrypt(t, client, renewed, map[string]string{"tenant": "42", "größe": "ä b"})
	g.encrypt(t, client, other, nil)
	g.dataKey(t, client, other, map[string]string{"purpose": "disk"})
	stop(t, server.Process)

	wearOut(t, site, renewed)
	server = start(t, site)
	client = dial(t, site, server, harness.Admin)
	awaitRenewal(t, client, renewed)
	g.encrypt(t, client, renewed, map[string]string{"tenant": "42"})
	for i, k := range g.Keys {
		g.Keys[i] = newGoldenKey(describeKey(t, client, k.ARN))
	}
	stop(t, server.Process)
}

// fillAndKill kills a server that makes keys and encrypts.
func fillAndKill(t *testing.T, site *harness.Site, g *goldenData) {
	t.Helper()
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := g.create(t, client, "before the crash")
	g.encrypt(t, client, key, map[string]string{"tenant": "42"})
	var mu sync.Mutex
	var once sync.Once
	more := func(int64) bool {
		mu.Lock()
		defer mu.Unlock()
		if len(g.Keys) > 3 {
			go once.Do(server.Kill)
		}
		return true
	}
	_, err := harness.Load(within(t, time.Minute), 4, more, func(ctx context.Context, worker int) error {
		if worker == 0 {
			a, err := encrypt(ctx, client, key)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				g.answered(key, nil, []byte(plaintext), a)
			}
			return err
		}
		res, err := client.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{})
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			g.Keys = append(g.Keys, newGoldenKey(res.GetKeyMetadata()))
		}
		return err
	})
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("the load ended with %v, want the end of the server", err)
	}
	<-server.Exited()
}

// create makes a key and notes it.
func (g *goldenData) create(t *testing.T, client *harness.Client, description string) string {
	t.Helper()
	res, err := client.KMS.CreateKey(within(t, 10*time.Second), &kmsv1.CreateKeyRequest{Description: &description})
	if err != nil {
		t.Fatal(err)
	}
	g.Keys = append(g.Keys, newGoldenKey(res.GetKeyMetadata()))
	return res.GetKeyMetadata().GetArn()
}

// encrypt encrypts and notes the answer.
func (g *goldenData) encrypt(t *testing.T, client *harness.Client, key string, pairs map[string]string) {
	t.Helper()
	var header harness.Header
	res, err := client.KMS.Encrypt(within(t, 10*time.Second), &kmsv1.EncryptRequest{
		KeyId: &key, Plaintext: []byte(plaintext), EncryptionContext: pairs,
	}, header.Option())
	if err != nil {
		t.Fatal(err)
	}
	g.answered(key, pairs, []byte(plaintext), answer{header.RequestID(), res.GetCiphertextBlob()})
}

// dataKey makes a data key and notes it.
func (g *goldenData) dataKey(t *testing.T, client *harness.Client, key string, pairs map[string]string) {
	t.Helper()
	var header harness.Header
	res, err := client.KMS.GenerateDataKey(within(t, 10*time.Second), &kmsv1.GenerateDataKeyRequest{
		KeyId: &key, EncryptionContext: pairs, KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(),
	}, header.Option())
	if err != nil {
		t.Fatal(err)
	}
	g.answered(key, pairs, res.GetPlaintext(), answer{header.RequestID(), res.GetCiphertextBlob()})
}

func (g *goldenData) answered(key string, pairs map[string]string, plaintext []byte, a answer) {
	g.Ciphertexts = append(g.Ciphertexts, goldenCiphertext{
		KeyARN: key, Context: pairs, Plaintext: plaintext, Blob: a.blob, RequestID: a.requestID,
	})
}

// look notes what is in the journal.
func (g *goldenData) look(t *testing.T, dataDir string) {
	t.Helper()
	open := map[string]bool{}
	_, err := journal.Inspect(filepath.Join(dataDir, "journal"), func(r journal.Record) error {
		// Intents and events name a request; only events have a version.
		var body struct{ EventVersion, EventName, RequestID string }
		if json.Unmarshal(r.Body, &body) == nil && body.EventName != "" {
			open[body.RequestID] = body.EventVersion == ""
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, isOpen := range open {
		if isOpen {
			g.Unsettled = append(g.Unsettled, id)
		}
	}
	report, err := audit.Verify(filepath.Join(dataDir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	g.Records, g.Events, g.Head = report.Records, report.Events, report.Head.String()
	g.Digest, _ = journalDigest(t, dataDir, g.Records)
	t.Logf("%d keys, %d ciphertexts, %d records, %d requests cut off", len(g.Keys), len(g.Ciphertexts), g.Records, len(g.Unsettled))
}

// wearOut makes the metadata say that a key's material has been used so often
// that it is to be renewed: three quarters of 2^32 times.
func wearOut(t *testing.T, site *harness.Site, arn string) {
	t.Helper()
	var worn []byte
	changeKeyRecord(t, site, arn, func(r *storagev1.KeyRecord) { worn = r.GetBackingKeys()[0].GetId() })
	store := openMetadata(t, site)
	putValue(t, store, metadataScope+"invocations/"+hex.EncodeToString(worn), &storagev1.InvocationRecord{Reserved: new(uint64(3 << 30))})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// awaitRenewal uses a worn-out key until it has new material.
func awaitRenewal(t *testing.T, client *harness.Client, key string) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	old := describeKey(t, client, key).GetCurrentKeyMaterialId()
	for describeKey(t, client, key).GetCurrentKeyMaterialId() == old {
		if err := harness.RoundTrip(ctx, client, key); err != nil {
			t.Fatalf("while the key is renewed: %v", err)
		}
	}
}

// pack writes the data directory, the token and the PIN in dir, and what they
// hold, to an archive.
func pack(t *testing.T, dir string, g *goldenData, archive string) {
	t.Helper()
	text, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, goldenName), append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(zip)
	for _, name := range []string{goldenName, "pin", "tokens", "data"} {
		packTree(t, w, dir, name)
	}
	if err := errors.Join(w.Close(), zip.Close(), os.WriteFile(archive, packed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// packTree packs the files at or below a name in dir.
func packTree(t *testing.T, w *tar.Writer, dir, name string) {
	t.Helper()
	root := os.DirFS(dir)
	err := fs.WalkDir(root, name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o600, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
