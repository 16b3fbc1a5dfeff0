package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// exportTamperings are done to log files and digests.
var exportTamperings = []tampering{
	{"a bit of a log file is flipped", inLogFile("CloudTrail", func(f *tree, name string) {
		content := f.raw(name)
		content[len(content)/2] ^= 1
		f.write(name, content)
	})},
	{"an event in a log file is altered", inLogFile("CloudTrail", func(f *tree, name string) {
		f.replace(name, harness.ARN(harness.Admin), harness.ARN("ghost"))
	})},
	{"an entry in an HSM's log file is altered", inLogFile("CloudHSM", func(f *tree, name string) {
		f.replace(name, "Sequence No : 0x", "Sequence No : 0xf")
	})},
	{"a log file is cut", inLogFile("CloudTrail", func(f *tree, name string) {
		content := f.raw(name)
		f.write(name, content[:len(content)-9])
	})},
	{"a log file is removed", inLogFile("CloudTrail", (*tree).remove)},
	{"an HSM's log file is removed", inLogFile("CloudHSM", (*tree).remove)},
	{"the contents of two log files are swapped", inLogFile("CloudTrail", func(f *tree, name string) {
		f.swap(name, f.logFile(f.digests(harness.Region)[2], "CloudTrail"))
	})},
	{"an old log file is put in place of another", inLogFile("CloudTrail", func(f *tree, name string) {
		f.write(name, f.raw(f.logFile(f.digests(harness.Region)[0], "CloudTrail")))
	})},
	{"a bit of a digest is flipped", inDigest(func(f *tree, name string) {
		content := f.raw(name)
		content[len(content)/2] ^= 1
		f.write(name, content)
	})},
	{"a log file and what its digest says of it are altered", inDigest(func(f *tree, name string) {
		log := f.logFile(name, "CloudTrail")
		was := fmt.Sprintf("%x", sha256.Sum256(f.content(log)))
		f.replace(log, harness.ARN(harness.Admin), harness.ARN("ghost"))
		f.replace(name, was, fmt.Sprintf("%x", sha256.Sum256(f.content(log))))
	})},
	{"a digest tells of fewer log files", inDigest(func(f *tree, name string) {
		log := f.logFile(name, "CloudHSM")
		f.edit(name, func(content []byte) []byte {
			at := bytes.Index(content, []byte(log))
			begin, end := bytes.LastIndexByte(content[:at], '{'), at+bytes.Index(content[at:], []byte("}}"))+2
			return bytes.Replace(append(content[:begin:begin], content[end:]...), []byte("},,{"), []byte("},{"), 1)
		})
	})},
	{"a bit of a signature is flipped", inDigest(func(f *tree, name string) {
		signature := f.raw(name + ".sig")
		signature[20] = "0123456789abcdef"[(strings.IndexByte("0123456789abcdef", signature[20])+1)%16]
		f.write(name+".sig", signature)
	})},
	{"a signature is cut", inDigest(func(f *tree, name string) { f.write(name+".sig", f.raw(name + ".sig")[:100]) })},
	{"a signature is removed", inDigest(func(f *tree, name string) { remove(f.t, f.path(name+".sig")) })},
	{"a digest is removed", inDigest((*tree).remove)},
	{"two digests are swapped", inDigest(func(f *tree, name string) {
		next := f.digests(harness.Region)[2]
		f.swap(name, next)
		f.swap(name+".sig", next+".sig")
	})},
	{"an old digest is put in place of another", inDigest(func(f *tree, name string) {
		old := f.digests(harness.Region)[0]
		f.write(name, f.raw(old))
		f.write(name+".sig", f.raw(old+".sig"))
	})},
	{"a digest of another Region is put in place of one", inDigest(func(f *tree, name string) {
		other := f.digests(otherRegion)[1]
		f.write(name, f.raw(other))
		f.write(name+".sig", f.raw(other+".sig"))
	})},
	{"the oldest digest is removed", func(t *testing.T, c *copied) any {
		f := c.tree(t)
		oldest := f.digests(harness.Region)[0]
		f.remove(oldest)
		return oldest
	}},
	{"an old digest is added as the newest one", func(t *testing.T, c *copied) any {
		f := c.tree(t)
		old, newest := f.digests(harness.Region)[0], f.newest(harness.Region)
		later := newest[:strings.LastIndex(newest, "_")] + "_" + strings.Replace(newest[strings.LastIndex(newest, "_")+1:], "T", "T23", 1)[:11] + "5959Z.json.gz"
		f.write(later, f.raw(old))
		f.write(later+".sig", f.raw(old+".sig"))
		return later
	}},
	{"a digest is forged with another key under the name of the right one", func(t *testing.T, c *copied) any {
		f := c.tree(t)
		newest := f.newest(harness.Region)
		f.sign(newest, f.digest(newest), newKey(t))
		return newest
	}},
	{"all digests are forged with another key that is put beside them", func(t *testing.T, c *copied) any {
		f := c.tree(t)
		c.forgeAll(t)
		return f.digests(harness.Region)[0]
	}},
	{"the newest digests are removed", func(t *testing.T, c *copied) any {
		f := c.tree(t)
		c.evidence.signed = c.signed
		for _, region := range []string{harness.Region, otherRegion} {
			f.remove(f.newest(region))
		}
		return f.lastRecord(f.newest(harness.Region)) + 1
	}},
	{"the newest digest of one Region is removed", func(t *testing.T, c *copied) any {
		f := c.tree(t)
		c.evidence.signed = c.signed
		f.remove(f.newest(otherRegion))
		return f.lastRecord(f.newest(otherRegion)) + 1
	}},
}

// newest is the newest digest of a Region.
func (f *tree) newest(region string) string {
	f.t.Helper()
	names := f.digests(region)
	return names[len(names)-1]
}

// inDigest tampers with a digest that is neither the first nor the last of its Region.
func inDigest(do func(*tree, string)) func(*testing.T, *copied) any {
	return func(t *testing.T, c *copied) any {
		t.Helper()
		f := c.tree(t)
		name := f.digests(harness.Region)[1]
		do(f, name)
		return name
	}
}

// inLogFile tampers with a log file of such a digest.
func inLogFile(kind string, do func(*tree, string)) func(*testing.T, *copied) any {
	return func(t *testing.T, c *copied) any {
		t.Helper()
		f := c.tree(t)
		name := f.logFile(f.digests(harness.Region)[1], kind)
		do(f, name)
		return name
	}
}

// forgeAll signs all digests with a key of the thief's own, and puts it beside them.
func (c *copied) forgeAll(t *testing.T) {
	t.Helper()
	key := newKey(t)
	der := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	fingerprint := fmt.Sprintf("%x", sha256.Sum256(der))
	f := c.tree(t)
	for _, region := range []string{harness.Region, otherRegion} {
		f.forge(region, key, fingerprint)
	}
	f.write("AWSLogs/111122223333/public-keys.json",
		fmt.Appendf(nil, `{"PublicKeyList": [{"Fingerprint": "%s", "Value": "%s"}]}`, fingerprint, base64.StdEncoding.EncodeToString(der)))
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return key
}
