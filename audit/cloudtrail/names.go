package cloudtrail

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"
)

// SignatureSuffix is what the name of a digest's signature has more than the
// digest's: in a directory a file holds what is the object's metadata in a bucket.
const SignatureSuffix = ".sig"

// PublicKeysName is what the file of an account's public keys is called, in the account's directory.
const PublicKeysName = "public-keys.json"

// maxPrefix is CloudTrail's limit of a prefix, in characters.
const maxPrefix = 200

// Layouts of the times in names.
const (
	dayLayout        = "2006/01/02"
	logTimeLayout    = "20060102T1504Z"
	digestTimeLayout = "20060102T150405Z"
)

// Names makes the names of a trail's files: paths with slashes, without a leading
// one, the same in a directory and in a bucket.
type Names struct {
	// Prefix stands before "AWSLogs"; it has no slash at its ends and may be empty.
	Prefix string
	// Account is the account's number, 12 digits.
	Account string
	// Home is the trail's home Region.
	Home string
	// Trail is the trail's name.
	Trail string
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// trailPattern is "CloudTrail trail naming requirements".
	trailPattern = regexp.MustCompile(`^[A-Za-z0-9]([._-]?[A-Za-z0-9])*$`)
	notInNames   = regexp.MustCompile(`[^A-Za-z0-9.-]`)
)

// Validate says what CloudTrail would not allow.
func (n Names) Validate() error {
	switch {
	case !accountPattern.MatchString(n.Account):
		return fmt.Errorf("account %q: want 12 digits", n.Account)
	case !trailPattern.MatchString(n.Trail) || len(n.Trail) < 3 || len(n.Trail) > 128:
		return fmt.Errorf("trail name %q: want 3 to 128 letters and digits, with single periods, underscores or hyphens between them", n.Trail)
	case len(n.Prefix) > maxPrefix || n.Prefix != "" && (!fs.ValidPath(n.Prefix) || n.Prefix == "."):
		return fmt.Errorf("prefix %q: want a path of at most %d characters without slashes at its ends", n.Prefix, maxPrefix)
	}
	return ValidateRegion(n.Home)
}

// ValidateRegion says whether a Region can stand in a name.
func ValidateRegion(region string) error {
	if !regionPattern.MatchString(region) {
		return fmt.Errorf("%q is no Region: want lower case letters, digits and single hyphens", region)
	}
	return nil
}

// LogFile names a log file of API events. Unique tells files of the same minute
// apart (see Unique).
func (n Names) LogFile(region string, at time.Time, unique string) string {
	name := fmt.Sprintf("%s_CloudTrail_%s_%s_%s.json.gz", n.Account, region, at.UTC().Format(logTimeLayout), unique)
	return n.join("CloudTrail", region, at.UTC().Format(dayLayout), name)
}

// HSMLogFile names a file of an HSM's audit log. Characters of the ids that are
// none of letters, digits, periods and hyphens become hyphens.
func (n Names) HSMLogFile(cluster, hsm string, at time.Time, unique string) string {
	cluster, hsm = inName(cluster), inName(hsm)
	name := fmt.Sprintf("%s_CloudHSM_%s_%s_%s_%s.log.gz", n.Account, n.Home, hsm, at.UTC().Format(logTimeLayout), unique)
	return n.join("CloudHSM", n.Home, cluster, hsm, at.UTC().Format(dayLayout), name)
}

// Digest names the digest of a Region that ends at a time, in whole seconds.
func (n Names) Digest(region string, end time.Time) string {
	name := fmt.Sprintf("%s_CloudTrail-Digest_%s_%s_%s_%s.json.gz",
		n.Account, region, n.Trail, n.Home, end.UTC().Format(digestTimeLayout))
	return n.join("CloudTrail-Digest", region, end.UTC().Format(dayLayout), name)
}

// PublicKeys names the list of the keys that have signed digests. It is for people:
// who verifies has to be told the keys by somebody else than who holds the files.
func (n Names) PublicKeys() string { return n.join(PublicKeysName) }

func (n Names) join(parts ...string) string {
	return path.Join(append([]string{n.Prefix, "AWSLogs", n.Account}, parts...)...)
}

// inName makes of an id a part of a path that is no other's parent.
func inName(id string) string {
	id = notInNames.ReplaceAllString(id, "-")
	if strings.Trim(id, ".") == "" {
		return "-"
	}
	return id
}
