package config

import (
	"cmp"
	"path/filepath"
	"time"
)

// Audit says what is made of the audit trails, beside the journal that they are kept in:
// CloudTrail log files and signed digests, and who is sent them. All of it has defaults.
type Audit struct {
	// Directory is where log files and digests are written, an absolute path. It is made
	// if missing. Default: trail/ in the data directory.
	Directory string `yaml:"directory"`
	// Trail is the trail's name in digests and their file names: 3 to 128 letters,
	// digits, periods, underscores and dashes. Default "strongroom".
	Trail string `yaml:"trail"`
	// Bucket is the bucket that digests say the files are in, 3 to 63 of a-z, 0-9, periods
	// and dashes; with S3 it is S3.Bucket instead. Default "strongroom".
	Bucket string `yaml:"bucket"`
	// Prefix comes before "AWSLogs/" in the names of all files: up to 200 characters, without
	// a slash at either end; with S3 it is S3.Prefix instead. Default: none.
	Prefix string `yaml:"prefix"`
	// LogFilePeriod is how long events wait for others of their log file, 1s to 1h.
	// Default 5m.
	LogFilePeriod time.Duration `yaml:"log_file_period"`
	// LogFileSize is how much of the log, in bytes before compression, ends a file before
	// its period does, 64 KiB to 50 MiB. Default 5 MiB.
	LogFileSize int `yaml:"log_file_size"`
	// DigestPeriod is how long log files wait for the digest that covers them, 1m to 24h.
	// Default 1h.
	DigestPeriod time.Duration `yaml:"digest_period"`
	// DigestSize is how much of the log, in bytes before compression, is covered by a
	// digest before its period is over, at least LogFileSize. Default 64 MiB.
	DigestSize int `yaml:"digest_size"`
	// Retention says how much of the journal is kept. Default: all.
	Retention Retention `yaml:"retention"`
	// S3 is a bucket that log files and digests are sent to. Default: none.
	S3 AuditS3 `yaml:"s3"`
	// OTLP is a collector that both trails are sent to as OpenTelemetry logs. Default: none.
	OTLP AuditOTLP `yaml:"otlp"`
}

// Retention removes the oldest segments of the journal, those alone that are over the age or
// beyond the size, that a signed digest covers and that every required sink has taken.
type Retention struct {
	// Age is how old a record may become, at least 24h. Default 0: any age.
	Age time.Duration `yaml:"age"`
	// Size is how many bytes the journal may have, at least 64 MiB. Default 0: any size.
	Size int `yaml:"size"`
}

// AuditS3 is a bucket of S3, or of what speaks its protocol.
type AuditS3 struct {
	// Endpoint is the service's URL, such as "https://s3.eu-central-1.amazonaws.com",
	// without a path; http:// is for a loopback address only.
	Endpoint string `yaml:"endpoint"`
	// Region is the bucket's Region. Default "us-east-1".
	Region string `yaml:"region"`
	// Bucket is the bucket's name. It must exist.
	Bucket string `yaml:"bucket"`
	// Prefix comes before "AWSLogs/" in the names of objects, as Audit.Prefix does.
	// Default: none.
	Prefix string `yaml:"prefix"`
	// PathStyle puts the bucket's name into the path of URLs and not before the host's name.
	// Default false.
	PathStyle bool `yaml:"path_style"`
	// AccessKeyFile has the id of an access key in its first line and the secret in its
	// second; an absolute path. It is read before each request.
	AccessKeyFile string `yaml:"access_key_file"`
	// CA is a PEM file of the authorities that the endpoint's certificate is checked
	// against, an absolute path. Default: those of the system.
	CA string `yaml:"ca"`
	// Required keeps records that the bucket has not taken from being removed by
	// Retention. Default true.
	Required bool `yaml:"required"`
}

// AuditOTLP is a collector of OpenTelemetry logs.
type AuditOTLP struct {
	// Endpoint is the collector's URL, such as "https://collector.example:4317"; http:// is
	// for a loopback address only. With the protocol http it may have a path, which else is
	// /v1/logs.
	Endpoint string `yaml:"endpoint"`
	// Protocol is "grpc" or "http" (protobuf over HTTP). Default "grpc".
	Protocol string `yaml:"protocol"`
	// HeadersFile has headers that are sent along, one "Name: value" in each line, such as
	// an Authorization; an absolute path. It is read before each request. Default: none.
	HeadersFile string `yaml:"headers_file"`
	// CA is a PEM file of the authorities that the endpoint's certificate is checked
	// against, an absolute path. Default: those of the system.
	CA string `yaml:"ca"`
	// Required keeps records that the collector has not taken from being removed by
	// Retention. Default false.
	Required bool `yaml:"required"`
}

// AuditDirectory is where log files and digests are written.
func (c *Config) AuditDirectory() string {
	return cmp.Or(c.Audit.Directory, filepath.Join(c.DataDir, "trail"))
}

// TrailLocation returns the bucket and the prefix that digests name.
func (c *Config) TrailLocation() (bucket, prefix string) {
	if c.Audit.S3.Endpoint != "" {
		return c.Audit.S3.Bucket, c.Audit.S3.Prefix
	}
	return c.Audit.Bucket, c.Audit.Prefix
}

// defaultAudit is the section that a file leaves out.
func defaultAudit() Audit {
	return Audit{
		Trail: "strongroom", Bucket: "strongroom",
		LogFilePeriod: 5 * time.Minute, LogFileSize: 5 << 20, DigestPeriod: time.Hour, DigestSize: 64 << 20,
		S3: AuditS3{Region: "us-east-1", Required: true}, OTLP: AuditOTLP{Protocol: "grpc"},
	}
}
