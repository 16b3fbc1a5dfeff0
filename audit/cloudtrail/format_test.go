package cloudtrail

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit"
)

func TestLogFileGolden(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	l, err := NewLogWriter(&file)
	must(t, err)
	for _, name := range []string{"CreateKey", "Decrypt"} {
		e := audit.APIEvent{EventTime: at, EventSource: "kms.amazonaws.com", EventName: name, AWSRegion: "us-east-1", RequestID: "r", EventID: "e"}
		must(t, l.Add(e.AppendJSON(nil)))
	}
	must(t, l.Close())
	checkWritten(t, l, 2, file.Bytes(), "events.json")
}

func TestHSMLogFileGolden(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	l := NewHSMLogWriter(&file)
	for i := range uint64(2) {
		e := audit.HSMEntry{HSM: "hsm-1", SequenceNo: i, RebootCounter: 1, HSMCommand: audit.HSMCommand{Function: "C_Login", Time: at}}
		must(t, l.Add(e.AppendText(nil)))
	}
	must(t, l.Close())
	checkWritten(t, l, 2, file.Bytes(), "hsm.log")
}

func TestLogFileWithoutRecords(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	l, err := NewLogWriter(&file)
	must(t, err)
	must(t, l.Close())
	if got := string(gunzip(t, file.Bytes())); got != `{"Records":[]}` {
		t.Errorf("an empty file is %s", got)
	}
}

func checkWritten(t *testing.T, l *LogWriter, records uint64, file []byte, name string) {
	t.Helper()
	content := gunzip(t, file)
	golden(t, name, content)
	if l.Records() != records || l.Size() != int64(len(content)) || l.HashValue() != HashValue(content) {
		t.Errorf("%d records, %d bytes, hash %s; the file has %d bytes, hash %s",
			l.Records(), l.Size(), l.HashValue(), len(content), HashValue(content))
	}
}

func digests(key *rsa.PrivateKey) (first, second *Digest) {
	fingerprint := Fingerprint(publicDER(key))
	oldest, newest := at.Add(-50*time.Minute), at.Add(-time.Minute)
	first = &Digest{
		Account: names.Account, Start: at.Add(-time.Hour), End: at, Bucket: "a-bucket", Object: names.Digest("us-east-1", at),
		Fingerprint: fingerprint, Newest: &newest, Oldest: &oldest,
		LogFiles: []LogFile{{
			Bucket: "a-bucket", Object: names.LogFile("us-east-1", newest, "ABCDEFGHIJKLMN23"), HashValue: strings.Repeat("0f", 32),
			HashAlgorithm: "SHA-256", Newest: newest, Oldest: oldest,
			Journal: LogRecords{JournalID: journalID, First: 2, Last: 19, Records: 7},
		}},
		Journal: Range{JournalID: journalID, First: 1, Last: 20, LastHash: strings.Repeat("ab", 32)},
	}
	second = &Digest{
		Account: names.Account, Start: at, End: at.Add(time.Hour), Bucket: "a-bucket", Object: names.Digest("us-east-1", at.Add(time.Hour)),
		Fingerprint: fingerprint,
		Journal:     Range{JournalID: journalID, First: 21, Last: 20, LastHash: strings.Repeat("ab", 32)},
	}
	return first, second
}

func TestDigestGolden(t *testing.T) {
	t.Parallel()
	key := signingKey(t)
	first, second := digests(key)
	content, err := first.Encode()
	must(t, err)
	golden(t, "digest-1.json", content)
	signature := sign(t, key, first.SigningString(content))
	golden(t, "digest-1.json.sig", []byte(signature+"\n"))
	golden(t, "digest-1.signed.txt", first.SigningString(content))

	second.Previous = &Previous{Bucket: first.Bucket, Object: first.Object, HashValue: HashValue(content), Signature: signature}
	content, err = second.Encode()
	must(t, err)
	golden(t, "digest-2.json", content)
	golden(t, "digest-2.json.sig", []byte(sign(t, key, second.SigningString(content))+"\n"))
	for _, d := range []*Digest{first, second} {
		content, err := d.Encode()
		must(t, err)
		back, err := DecodeDigest(content)
		must(t, err)
		if d.LogFiles == nil {
			d.LogFiles = []LogFile{}
		}
		if diff := cmp.Diff(d, back); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	key := signingKey(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	message := []byte("a message")
	signature, err := hex.DecodeString(sign(t, key, message))
	must(t, err)
	must(t, VerifySignature(publicDER(key), message, signature))
	for name, err := range map[string]error{
		"another key":          VerifySignature(publicDER(other), message, signature),
		"another message":      VerifySignature(publicDER(key), []byte("b message"), signature),
		"a shorter one":        VerifySignature(publicDER(key), message, signature[1:]),
		"what is no key":       VerifySignature([]byte("key"), message, signature),
		"a flipped bit":        VerifySignature(publicDER(key), message, append([]byte{signature[0] ^ 1}, signature[1:]...)),
		"keys of what is none": func() error { _, err := NewKeys([]byte("key")); return err }(),
	} {
		if err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestDecodeDigest(t *testing.T) {
	t.Parallel()
	first, second := digests(signingKey(t))
	second.Previous = &Previous{Bucket: "b", Object: first.Object, HashValue: "00", Signature: "00"}
	withFiles, err := first.Encode()
	must(t, err)
	linked, err := second.Encode()
	must(t, err)
	for _, c := range []struct {
		name, from, to string
		of             []byte
		wrong          string // "" if it is to be decoded
	}{
		{"a member that is not known", `{"awsAccountId"`, `{"new":{"a":[1]},"awsAccountId"`, withFiles, ""},
		{"no JSON", `{`, ``, withFiles, "decoding"},
		{"something behind it", `"}}`, `"}}{}`, withFiles, "follows"},
		{"no object", `"digestS3Object":"`, `"x":"`, linked, "missing"},
		{"another algorithm", `SHA256withRSA`, `none`, withFiles, "signature algorithm"},
		{"no list of files", `"logFiles"`, `"files"`, linked, "logFiles is missing"},
		{"no range", `"strongroomJournal":{"journalId":"` + journalID + `","firstSequence":21`, `"x":{"a":1`, linked, "strongroomJournal is missing"},
		{"a range that ends before it begins", `"firstSequence":21`, `"firstSequence":22`, linked, "from record 22 to 20"},
		{"a range from nowhere", `"firstSequence":1,`, `"firstSequence":0,`, withFiles, "from record 0"},
		{"half a link", `"previousDigestSignature":"00"`, `"previousDigestSignature":null`, linked, "some are not"},
		{"a link with another hash", `"previousDigestHashAlgorithm":"SHA-256"`, `"previousDigestHashAlgorithm":"MD5"`, linked, "hash algorithm"},
		{"a file without hash", `"hashValue":"`, `"x":"`, withFiles, "logFiles[0]"},
		{"a file with another hash", `,"hashAlgorithm":"SHA-256"`, `,"hashAlgorithm":"MD5"`, withFiles, "logFiles[0]"},
	} {
		changed := bytes.Replace(c.of, []byte(c.from), []byte(c.to), 1)
		if bytes.Equal(changed, c.of) {
			t.Errorf("%s: %q is not there", c.name, c.from)
		}
		_, err := DecodeDigest(changed)
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v, want %q", c.name, err, c.wrong)
		}
	}
}
