package cloudtrail

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// HashAlgorithm is the algorithm of every hash, in CloudTrail's spelling.
const HashAlgorithm = "SHA-256"

const timeLayout = "2006-01-02T15:04:05Z"

// Digest is what a digest says.
type Digest struct {
	// Account is whose trail it is of. Of which Region, Object tells.
	Account string
	// Start and End bound its time: UTC, in whole seconds. It starts when the one
	// before it ended.
	Start, End time.Time
	// Bucket and Object are where it is itself.
	Bucket, Object string
	// Fingerprint names the key that signed it.
	Fingerprint string
	// Newest and Oldest are the times of the events in its log files, nil if there
	// are none: UTC, in whole seconds.
	Newest, Oldest *time.Time
	// Previous is the digest before it, nil for the first one of its Region.
	Previous *Previous
	// LogFiles are the files since the digest before it, oldest first.
	LogFiles []LogFile
	// Journal is the records that it stands for.
	Journal Range
}

// Previous is what a digest tells of the one before it.
type Previous struct {
	// Bucket and Object are where it is.
	Bucket, Object string
	// HashValue is the SHA-256 of its content, in hexadecimal.
	HashValue string
	// Signature is its signature, in hexadecimal.
	Signature string
}

// Range is the records of the journal that a digest stands for: all since the
// digest before it in the same Region. It is empty if First is Last + 1.
type Range struct {
	// JournalID is the journal's id, in hexadecimal.
	JournalID string `json:"journalId"`
	// First and Last are the numbers of the first and the last record.
	First uint64 `json:"firstSequence"`
	Last  uint64 `json:"lastSequence"`
	// LastHash is the journal's chain after the last record, in hexadecimal: it
	// stands for all records up to there.
	LastHash string `json:"lastHash"`
}

// digestJSON is a digest's members in CloudTrail's order ("CloudTrail digest file
// structure" in the AWS CloudTrail User Guide), and ours.
type digestJSON struct {
	Account            string     `json:"awsAccountId"`
	Start              time.Time  `json:"digestStartTime"`
	End                time.Time  `json:"digestEndTime"`
	Bucket             string     `json:"digestS3Bucket"`
	Object             string     `json:"digestS3Object"`
	Fingerprint        string     `json:"digestPublicKeyFingerprint"`
	SignatureAlgorithm string     `json:"digestSignatureAlgorithm"`
	Newest             *time.Time `json:"newestEventTime"`
	Oldest             *time.Time `json:"oldestEventTime"`
	PreviousBucket     *string    `json:"previousDigestS3Bucket"`
	PreviousObject     *string    `json:"previousDigestS3Object"`
	PreviousHash       *string    `json:"previousDigestHashValue"`
	PreviousAlgorithm  *string    `json:"previousDigestHashAlgorithm"`
	PreviousSignature  *string    `json:"previousDigestSignature"`
	LogFiles           []LogFile  `json:"logFiles"`
	Journal            *Range     `json:"strongroomJournal"`
}

// Encode returns the digest's content. Times are cut to seconds.
func (d *Digest) Encode() ([]byte, error) {
	j := digestJSON{
		Account: d.Account, Start: seconds(d.Start), End: seconds(d.End), Bucket: d.Bucket, Object: d.Object,
		Fingerprint: d.Fingerprint, SignatureAlgorithm: SignatureAlgorithm,
		Newest: d.Newest, Oldest: d.Oldest, LogFiles: d.LogFiles, Journal: &d.Journal,
	}
	if j.LogFiles == nil {
		j.LogFiles = []LogFile{}
	}
	if p := d.Previous; p != nil {
		algorithm := HashAlgorithm
		j.PreviousBucket, j.PreviousObject, j.PreviousHash, j.PreviousSignature = &p.Bucket, &p.Object, &p.HashValue, &p.Signature
		j.PreviousAlgorithm = &algorithm
	}
	content, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encoding digest %s: %w", d.Object, err)
	}
	return content, nil
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// DecodeDigest parses a digest's content. Members that it does not know are no
// error; those that are missing, or that no digest has like this, are.
func DecodeDigest(content []byte) (*Digest, error) {
	var j digestJSON
	decoder := json.NewDecoder(bytes.NewReader(content))
	if err := decoder.Decode(&j); err != nil {
		return nil, fmt.Errorf("decoding a digest: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decoding a digest: something follows it")
	}
	if err := j.check(); err != nil {
		return nil, fmt.Errorf("decoding a digest: %w", err)
	}
	return j.digest(), nil
}

func (j *digestJSON) digest() *Digest {
	d := &Digest{
		Account: j.Account, Start: j.Start, End: j.End, Bucket: j.Bucket, Object: j.Object, Fingerprint: j.Fingerprint,
		Newest: j.Newest, Oldest: j.Oldest, LogFiles: j.LogFiles, Journal: *j.Journal,
	}
	if j.PreviousObject != nil {
		d.Previous = &Previous{Bucket: *j.PreviousBucket, Object: *j.PreviousObject, HashValue: *j.PreviousHash, Signature: *j.PreviousSignature}
	}
	return d
}

// check says what is missing.
func (j *digestJSON) check() error {
	switch {
	case j.Account == "" || j.Bucket == "" || j.Object == "" || j.Fingerprint == "" || j.Start.IsZero() || j.End.IsZero():
		return errors.New("a member is missing")
	case j.SignatureAlgorithm != SignatureAlgorithm:
		return fmt.Errorf("signature algorithm %q is not %s", j.SignatureAlgorithm, SignatureAlgorithm)
	case j.LogFiles == nil:
		return errors.New("logFiles is missing")
	case j.Journal == nil:
		return errors.New("strongroomJournal is missing")
	case j.Journal.First == 0 || j.Journal.First > j.Journal.Last+1:
		return fmt.Errorf("strongroomJournal goes from record %d to %d", j.Journal.First, j.Journal.Last)
	}
	return errors.Join(j.checkPrevious(), j.checkFiles())
}

// checkPrevious wants all of the previous digest's members or none.
func (j *digestJSON) checkPrevious() error {
	missing := 0
	for _, member := range []*string{j.PreviousBucket, j.PreviousObject, j.PreviousHash, j.PreviousAlgorithm, j.PreviousSignature} {
		if member == nil {
			missing++
		}
	}
	switch {
	case missing == 5:
		return nil
	case missing > 0:
		return errors.New("some members of the previous digest are null and some are not")
	case *j.PreviousAlgorithm != HashAlgorithm:
		return fmt.Errorf("hash algorithm %q is not %s", *j.PreviousAlgorithm, HashAlgorithm)
	}
	return nil
}

func (j *digestJSON) checkFiles() error {
	for i, f := range j.LogFiles {
		switch {
		case f.Object == "" || f.HashValue == "":
			return fmt.Errorf("logFiles[%d] has no object or no hash", i)
		case f.HashAlgorithm != HashAlgorithm:
			return fmt.Errorf("logFiles[%d]: hash algorithm %q is not %s", i, f.HashAlgorithm, HashAlgorithm)
		}
	}
	return nil
}

// HashValue returns the SHA-256 of a content, in hexadecimal.
func HashValue(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// SigningString returns what is signed for the digest with this content.
func (d *Digest) SigningString(content []byte) []byte {
	previous := "null"
	if d.Previous != nil {
		previous = d.Previous.Signature
	}
	return fmt.Appendf(nil, "%s\n%s/%s\n%s\n%s", d.End.UTC().Format(timeLayout), d.Bucket, d.Object, HashValue(content), previous)
}

// Compress returns the file of a content.
func Compress(content []byte) ([]byte, error) {
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	_, err := w.Write(content)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("compressing a digest: %w", err)
	}
	return file.Bytes(), nil
}
