package audit

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree is the log files and digests of a data directory. Names are relative to it.
type tree struct {
	t   *testing.T
	dir string
}

func (c *copied) tree(t *testing.T) *tree {
	t.Helper()
	return &tree{t, filepath.Join(c.dataDir, "trail")}
}

func (f *tree) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// digests are the digests of a Region, oldest first.
func (f *tree) digests(region string) []string {
	f.t.Helper()
	var names []string
	err := filepath.WalkDir(f.dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, "_CloudTrail-Digest_"+region+"_") && strings.HasSuffix(path, ".gz") {
			name, relErr := filepath.Rel(f.dir, path)
			names, err = append(names, filepath.ToSlash(name)), relErr
		}
		return err
	})
	if err != nil || len(names) < 3 {
		f.t.Fatalf("digests of %s: %v %v", region, names, err)
	}
	slices.Sort(names)
	return names
}

// logFile is the first log file of a digest that has a kind: "CloudTrail" or "CloudHSM".
func (f *tree) logFile(digest, kind string) string {
	f.t.Helper()
	for _, entry := range f.digest(digest)["logFiles"].([]any) {
		if name := entry.(map[string]any)["s3Object"].(string); strings.Contains(name, "/"+kind+"/") {
			return name
		}
	}
	f.t.Fatalf("%s has no log file of %s", digest, kind)
	return ""
}

func (f *tree) digest(name string) map[string]any {
	f.t.Helper()
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(f.content(name)))
	decoder.UseNumber()
	must(f.t, decoder.Decode(&members))
	return members
}

// lastRecord is the number of the newest record that a digest stands for.
func (f *tree) lastRecord(name string) uint64 {
	f.t.Helper()
	n, err := f.digest(name)["strongroomJournal"].(map[string]any)["lastSequence"].(json.Number).Int64()
	must(f.t, err)
	return uint64(n)
}

// reached is the point of the journal that a digest goes up to, as somebody keeps it.
func (f *tree) reached(name string) string {
	f.t.Helper()
	j := f.digest(name)["strongroomJournal"].(map[string]any)
	return fmt.Sprintf("%v:%v:%v", j["journalId"], j["lastSequence"], j["lastHash"])
}

// content is a compressed file's.
func (f *tree) content(name string) []byte {
	f.t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(f.raw(name)))
	must(f.t, err)
	content, err := io.ReadAll(r)
	must(f.t, err)
	return content
}

func (f *tree) raw(name string) []byte {
	f.t.Helper()
	content, err := os.ReadFile(f.path(name))
	must(f.t, err)
	return content
}

func (f *tree) write(name string, content []byte) {
	f.t.Helper()
	must(f.t, os.WriteFile(f.path(name), content, 0o600))
}

// edit changes a compressed file's content.
func (f *tree) edit(name string, change func([]byte) []byte) {
	f.t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(change(f.content(name)))
	must(f.t, err)
	must(f.t, w.Close())
	f.write(name, b.Bytes())
}

// replace changes a text in a compressed file.
func (f *tree) replace(name, old, now string) {
	f.t.Helper()
	f.edit(name, func(content []byte) []byte {
		if !bytes.Contains(content, []byte(old)) {
			f.t.Fatalf("%s has no %q", name, old)
		}
		return bytes.Replace(content, []byte(old), []byte(now), 1)
	})
}

func (f *tree) swap(one, two string) {
	f.t.Helper()
	a, b := f.raw(one), f.raw(two)
	f.write(one, b)
	f.write(two, a)
}

// remove removes a digest with its signature, or another file.
func (f *tree) remove(name string) {
	f.t.Helper()
	remove(f.t, f.path(name))
	if _, err := os.Stat(f.path(name + ".sig")); err == nil {
		remove(f.t, f.path(name+".sig"))
	}
}

// sign writes a digest with a signature by a key.
func (f *tree) sign(name string, members map[string]any, key *rsa.PrivateKey) {
	f.t.Helper()
	content, err := json.Marshal(members)
	must(f.t, err)
	f.edit(name, func([]byte) []byte { return content })
	previous, ok := members["previousDigestSignature"].(string)
	if !ok {
		previous = "null"
	}
	message := fmt.Appendf(nil, "%s\n%s/%s\n%x\n%s", members["digestEndTime"], members["digestS3Bucket"], members["digestS3Object"],
		sha256.Sum256(content), previous)
	sum := sha256.Sum256(message)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	must(f.t, err)
	f.write(name+".sig", []byte(hex.EncodeToString(signature)+"\n"))
}

// forge signs all digests of a Region anew, with another key.
func (f *tree) forge(region string, key *rsa.PrivateKey, fingerprint string) {
	f.t.Helper()
	before := ""
	for _, name := range f.digests(region) {
		members := f.digest(name)
		members["digestPublicKeyFingerprint"] = fingerprint
		if before != "" {
			members["previousDigestHashValue"] = fmt.Sprintf("%x", sha256.Sum256(f.content(before)))
			members["previousDigestSignature"] = strings.TrimSpace(string(f.raw(before + ".sig")))
		}
		f.sign(name, members, key)
		before = name
	}
}
