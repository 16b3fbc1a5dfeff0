package config

import (
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// As CloudTrail has the names of trails, and S3 those of buckets. In prefixes is what needs
// no escape in a URL.
var (
	trailPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixPattern = regexp.MustCompile(`^\.*[A-Za-z0-9_-][A-Za-z0-9._-]*(/\.*[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`) // no "..": files have it too
)

const (
	bucketForm = "3 to 63 of a-z, 0-9, periods and dashes"
	prefixForm = "parts of A-Z a-z 0-9 . _ - with single slashes between them"
	maxPrefix  = 200
)

// Limits of files and of the journal, in bytes.
const (
	minLogFile   = 64 << 10
	maxLogFile   = 50 << 20
	maxDigest    = 1 << 40
	minRetention = 64 << 20
	maxRetention = 1 << 60
)

func (v *validation) audit(a *Audit) {
	if a.Directory != "" {
		v.absolute("audit.directory", a.Directory)
	}
	v.matches("audit.trail", a.Trail, trailPattern, "3 to 128 letters, digits, periods, underscores and dashes")
	v.matches("audit.bucket", a.Bucket, bucketPattern, bucketForm)
	v.prefix("audit.prefix", a.Prefix)
	v.during("audit.log_file_period", a.LogFilePeriod, time.Second, time.Hour)
	v.between("audit.log_file_size", a.LogFileSize, minLogFile, maxLogFile)
	v.during("audit.digest_period", a.DigestPeriod, time.Minute, 24*time.Hour)
	v.between("audit.digest_size", a.DigestSize, a.LogFileSize, maxDigest)
	if a.DigestPeriod < a.LogFilePeriod {
		v.fault("audit.digest_period", "%v is less than audit.log_file_period, %v", a.DigestPeriod, a.LogFilePeriod)
	}
	v.retention(&a.Retention)
	v.s3(&a.S3)
	v.otlp(&a.OTLP)
}

func (v *validation) prefix(field, prefix string) {
	v.optional(field, prefix, prefixPattern, prefixForm)
	v.atMost(field, prefix, maxPrefix)
}

func (v *validation) retention(r *Retention) {
	if r.Age != 0 {
		v.during("audit.retention.age", r.Age, 24*time.Hour, 100*365*24*time.Hour)
	}
	if r.Size != 0 {
		v.between("audit.retention.size", r.Size, minRetention, maxRetention)
	}
}

func (v *validation) s3(s *AuditS3) {
	if !v.config.lines.given("audit.s3") && s.Endpoint == "" {
		return
	}
	if u := v.endpoint("audit.s3.endpoint", s.Endpoint); u != nil && strings.Trim(u.Path, "/") != "" {
		v.fault("audit.s3.endpoint", "%q has a path; the bucket has a field of its own", s.Endpoint)
	}
	v.region("audit.s3.region", s.Region)
	v.matches("audit.s3.bucket", s.Bucket, bucketPattern, bucketForm)
	v.prefix("audit.s3.prefix", s.Prefix)
	v.absolute("audit.s3.access_key_file", s.AccessKeyFile)
	v.optionalPath("audit.s3.ca", s.CA)
}

func (v *validation) otlp(o *AuditOTLP) {
	if !v.config.lines.given("audit.otlp") && o.Endpoint == "" {
		return
	}
	v.collector("audit.otlp", o.Endpoint, o.Protocol, o.HeadersFile, o.CA)
}

func (v *validation) optionalPath(field, path string) {
	if path != "" {
		v.absolute(field, path)
	}
}

// endpoint checks the URL of a server that is sent the trails, and returns it if it is good.
// Without TLS anybody on the way could read and change them.
func (v *validation) endpoint(field, text string) *url.URL {
	if !v.present(field, text) {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		v.fault(field, `is not a URL such as "https://host:port"`) // it may hold a password
		return nil
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		v.fault(field, "http:// is for a loopback address only, and not for %q", u.Hostname())
	}
	return u
}

// isLoopback says whether a host is this one, under an address that no other host reaches.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
