package integration

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// expectExported expects that the files of a server that was stopped in order are
// good, that each Region has a signed digest, and that the newest one of each stands
// for all that the journal held then.
func expectExported(t *testing.T, dataDir string) {
	t.Helper()
	tree := os.DirFS(filepath.Join(dataDir, "trail"))
	report, err := cloudtrail.Check(within(t, time.Minute), tree, exportedKeys(t, tree), cloudtrail.CheckOptions{})
	if err != nil {
		t.Errorf("the exported files: %v", err)
	}
	if len(report.Chains) == 0 || report.LogFiles == 0 || len(report.Unnamed) > 0 {
		t.Errorf("%d Regions have digests, of %d files, and no digest names %v", len(report.Chains), report.LogFiles, report.Unnamed)
	}
	var pins []audit.Pin
	for _, c := range report.Chains {
		newest := c.Newest()
		hash, err := hex.DecodeString(newest.Journal.LastHash)
		if err != nil || len(hash) != len(journal.Hash{}) {
			t.Fatalf("%s ends with the hash %q", newest.Object, newest.Journal.LastHash)
		}
		pins = append(pins, audit.Pin{Seq: newest.Journal.Last, Hash: journal.Hash(hash), Source: newest.Object})
	}
	if _, err := audit.Verify(filepath.Join(dataDir, "journal"), pins...); err != nil {
		t.Errorf("the journal is not what the digests say: %v", err)
	}
}

// exportedKeys returns the keys that the server says that it signs with.
func exportedKeys(t *testing.T, tree fs.FS) cloudtrail.Keys {
	t.Helper()
	names, err := fs.Glob(tree, "AWSLogs/*/public-keys.json")
	if err != nil || len(names) != 1 {
		t.Fatalf("lists of public keys: %v, %v", names, err)
	}
	text, err := fs.ReadFile(tree, names[0])
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ PublicKeyList []struct{ Value []byte } }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	var der [][]byte
	for _, k := range list.PublicKeyList {
		der = append(der, k.Value)
	}
	keys, err := cloudtrail.NewKeys(der...)
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d public keys: %v", len(keys), err)
	}
	return keys
}
