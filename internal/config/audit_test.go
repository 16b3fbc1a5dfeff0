package config_test

import (
	"strings"
	"testing"
)

// s3 and otlp are sinks of nothing but mandatory fields.
const (
	s3   = "endpoint: https://s3.example, bucket: trail, access_key_file: /key"
	otlp = "endpoint: https://collector.example:4317"
)

func TestGoodAuditSections(t *testing.T) {
	for name, section := range map[string]string{
		"empty":              "audit: {}",
		"bucket":             "audit: {s3: {" + s3 + "}}",
		"bucket in this box": "audit: {s3: {endpoint: 'http://127.0.0.1:9000', bucket: trail, path_style: true, access_key_file: /key}}",
		"collector":          "audit: {otlp: {" + otlp + ", headers_file: /h, ca: /ca, required: true}}",
		"collector by HTTP":  "audit: {otlp: {endpoint: 'http://[::1]:4318/in/v1/logs', protocol: http}}",
		"prefix":             "audit: {prefix: a/b-c}",
		"retention":          "audit: {retention: {age: 24h, size: 67108864}}",
		"metrics":            "metrics: {listen: '127.0.0.1:7402'}",
	} {
		if _, err := load(t, minimal+section+"\n"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaultsOfTheAuditSection(t *testing.T) {
	for name, test := range map[string]struct{ section, want string }{
		"directory":             {"audit: {directory: trail}", `audit.directory: "trail" is not an absolute path`},
		"trail":                 {"audit: {trail: '-x-'}", `audit.trail: "-x-" is not 3 to 128 letters`},
		"no trail":              {"audit: {trail: ''}", `audit.trail: is missing`},
		"bad bucket":            {"audit: {bucket: Trail}", `audit.bucket: "Trail" is not 3 to 63 of a-z`},
		"slash at the end":      {"audit: {prefix: a/}", `audit.prefix: "a/" is not parts of`},
		"way up":                {"audit: {prefix: a/../../b}", `audit.prefix: "a/../../b" is not parts of`},
		"blank in the prefix":   {"audit: {prefix: a b}", `audit.prefix: "a b" is not parts of`},
		"long prefix":           {"audit: {prefix: " + strings.Repeat("p", 201) + "}", `audit.prefix: has 201 bytes, more than 200`},
		"short log files":       {"audit: {log_file_period: 10ms}", `audit.log_file_period: 10ms is not between 1s and 1h0m0s`},
		"small log files":       {"audit: {log_file_size: 1000}", `audit.log_file_size: 1000 is not between 65536 and 52428800`},
		"short digests":         {"audit: {log_file_period: 1s, digest_period: 30s}", `audit.digest_period: 30s is not between 1m0s and 24h0m0s`},
		"digests without files": {"audit: {log_file_period: 10m, digest_period: 5m}", `audit.digest_period: 5m0s is less than audit.log_file_period, 10m0s`},
		"small digests":         {"audit: {digest_size: 1000}", `audit.digest_size: 1000 is not between 5242880 and`},
		"short retention":       {"audit: {retention: {age: 1h}}", `audit.retention.age: 1h0m0s is not between 24h0m0s and`},
		"small retention":       {"audit: {retention: {size: 1}}", `audit.retention.size: 1 is not between 67108864 and`},
		"no endpoint":           {"audit: {s3: {bucket: trail, access_key_file: /key}}", `audit.s3.endpoint: is missing`},
		"no URL":                {"audit: {s3: {endpoint: s3.example, bucket: trail, access_key_file: /key}}", `audit.s3.endpoint: is not a URL such as "https://host:port"`},
		"plain bucket":          {"audit: {s3: {endpoint: 'http://s3.example', bucket: trail, access_key_file: /key}}", `audit.s3.endpoint: http:// is for a loopback address only, and not for "s3.example"`},
		"bucket in the path":    {"audit: {s3: {endpoint: 'https://s3.example/trail', bucket: trail, access_key_file: /key}}", `audit.s3.endpoint: "https://s3.example/trail" has a path`},
		"no access key":         {"audit: {s3: {endpoint: https://s3.example, bucket: trail}}", `audit.s3.access_key_file: is missing`},
		"relative CA":           {"audit: {s3: {" + s3 + ", ca: ca.pem}}", `audit.s3.ca: "ca.pem" is not an absolute path`},
		"region of the bucket":  {"audit: {s3: {" + s3 + ", region: home}}", `audit.s3.region: "home" is not a Region`},
		"empty collector":       {"audit: {otlp: {}}", `audit.otlp.endpoint: is missing`},
		"plain collector":       {"audit: {otlp: {endpoint: 'http://collector.example:4317'}}", `audit.otlp.endpoint: http:// is for a loopback address only, and not for "collector.example"`},
		"path in gRPC":          {"audit: {otlp: {endpoint: 'https://collector.example/v1/logs'}}", `audit.otlp.endpoint: "https://collector.example/v1/logs" has a path, which gRPC has not`},
		"protocol":              {"audit: {otlp: {" + otlp + ", protocol: json}}", `audit.otlp.protocol: "json" is not one of grpc, http`},
		"unknown key":           {"audit: {otlp: {" + otlp + ", token: x}}", `unknown key "token"`},
		"empty metrics":         {"metrics: {}", `metrics.listen: is missing`},
		"metrics":               {"metrics: {listen: '7402'}", `metrics.listen: "7402" is not of the form "host:port"`},
	} {
		_, err := load(t, minimal+test.section+"\n")
		if err == nil || !strings.Contains(err.Error(), ":14: "+test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// A URL with a password is not shown.
func TestAPasswordInAnEndpointIsNotShown(t *testing.T) {
	_, err := load(t, minimal+"audit: {otlp: {endpoint: 'https://user:hunter2@collector.example'}}\n")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is %v", err)
	}
}
