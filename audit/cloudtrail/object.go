package cloudtrail

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Kind is a kind of files.
type Kind int

// The kinds of files in a tree.
const (
	// KindLogFile is API events: {"Records":[...]}.
	KindLogFile Kind = iota + 1
	// KindHSMLogFile is entries of an HSM's audit log, as text.
	KindHSMLogFile
	// KindDigest is a digest.
	KindDigest
	// KindSignature is a digest's signature.
	KindSignature
	// KindPublicKeys is the list of keys.
	KindPublicKeys
)

// Object is what the name of a file tells.
type Object struct {
	Kind Kind
	// Account and Region are whose file it is; the list of keys has no Region.
	Account, Region string
	// Time is when a digest ends, and about when a log file was written. UTC.
	Time time.Time
}

// form is the form of the names of a kind. Its groups are the account, the Region,
// the same two again in the file's name, and the time.
type form struct {
	kind    Kind
	pattern *regexp.Regexp
	layout  string
}

const (
	tree = `(?:^|/)AWSLogs/([0-9]{12})/`
	day  = `[0-9]{4}/[0-9]{2}/[0-9]{2}/`
)

var forms = []form{
	{KindLogFile, regexp.MustCompile(tree + `CloudTrail/([a-z0-9-]+)/` + day +
		`([0-9]{12})_CloudTrail_([a-z0-9-]+)_([0-9]{8}T[0-9]{4}Z)_[A-Za-z0-9]{16}\.json\.gz$`), logTimeLayout},
	{KindHSMLogFile, regexp.MustCompile(tree + `CloudHSM/([a-z0-9-]+)/[A-Za-z0-9.-]+/[A-Za-z0-9.-]+/` + day +
		`([0-9]{12})_CloudHSM_([a-z0-9-]+)_[A-Za-z0-9.-]+_([0-9]{8}T[0-9]{4}Z)_[A-Za-z0-9]{16}\.log\.gz$`), logTimeLayout},
	{KindDigest, regexp.MustCompile(tree + `CloudTrail-Digest/([a-z0-9-]+)/` + day +
		`([0-9]{12})_CloudTrail-Digest_([a-z0-9-]+)_[A-Za-z0-9._-]+_[a-z0-9-]+_([0-9]{8}T[0-9]{6}Z)\.json\.gz$`), digestTimeLayout},
}

var keysPattern = regexp.MustCompile(tree + `public-keys\.json$`)

// ParseObject tells what the file with a name is, if it is one of a trail's.
func ParseObject(name string) (Object, bool) {
	if m := keysPattern.FindStringSubmatch(name); m != nil {
		return Object{Kind: KindPublicKeys, Account: m[1]}, true
	}
	digest, signature := strings.CutSuffix(name, SignatureSuffix)
	for _, f := range forms {
		o, ok := f.parse(digest)
		switch {
		case ok && !signature:
			return o, true
		case ok && o.Kind == KindDigest:
			o.Kind = KindSignature
			return o, true
		}
	}
	return Object{}, false
}

func (f form) parse(name string) (Object, bool) {
	m := f.pattern.FindStringSubmatch(name)
	if m == nil || m[1] != m[3] || m[2] != m[4] {
		return Object{}, false
	}
	at, err := time.Parse(f.layout, m[5])
	return Object{Kind: f.kind, Account: m[1], Region: m[2], Time: at}, err == nil
}

// Unique returns the 16 characters that tell a log file from all others: the file
// of a stream, which is a Region or an HSM, with its records from first to last.
func Unique(id journal.ID, stream string, first, last uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v\n%s\n%d\n%d\n", id, stream, first, last))
	return base32.StdEncoding.EncodeToString(sum[:10])
}
