package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// minimal has every mandatory field and no other.
const minimal = `account: "123456789012"
region: eu-central-1
data_dir: /data
tls: {cert: /c, key: /k, client_ca: /ca}
principals:
  - arn: arn:aws:iam::123456789012:user/alice
    names: [spiffe://corp/alice]
    policies: [admin]
hsm:
  library: /lib.so
  token: {label: t}
  pin: {file: /pin}
  profile: softhsm
`

func load(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path)
}

func TestTheMinimalFileHasTheDocumentedDefaults(t *testing.T) {
	got, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		Account: "123456789012",
		Region:  "eu-central-1",
		DataDir: "/data",
		Listen:  "127.0.0.1:7400",
		TLS:     config.TLS{Cert: "/c", Key: "/k", ClientCA: "/ca"},
		Principals: []config.Principal{{
			ARN:      "arn:aws:iam::123456789012:user/alice",
			Names:    []string{"spiffe://corp/alice"},
			Policies: []string{"admin"},
		}},
		HSM: config.HSM{
			Device: config.Device{
				Library: "/lib.so",
				Token:   config.Token{Label: "t"},
				Profile: "softhsm",
			},
			PIN: config.PIN{File: "/pin"},
		},
		Limits: config.Limits{
			DefaultDeadline: 10 * time.Second, MaxDeadline: 30 * time.Second,
			MaxInFlight: 512, MaxConnections: 1024, DrainTimeout: 30 * time.Second,
		},
		Audit: config.Audit{
			Trail: "strongroom", Bucket: "strongroom",
			LogFilePeriod: 5 * time.Minute, LogFileSize: 5 << 20, DigestPeriod: time.Hour, DigestSize: 64 << 20,
			S3: config.AuditS3{Region: "us-east-1", Required: true}, OTLP: config.AuditOTLP{Protocol: "grpc"},
		},
		OpenTelemetry: config.OpenTelemetry{Protocol: "grpc", MetricsPeriod: time.Minute},

		Log: config.Log{Level: "info"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheExampleIsGoodAndShowsEverySection(t *testing.T) {
	c, err := config.Load("../../docs/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Principals) != 3 || len(c.Clusters) != 1 || c.HSM.HangTimeout != 10*time.Second || !c.Log.JSON ||
		c.Audit.S3.Endpoint == "" || c.Audit.OTLP.Endpoint == "" || c.Audit.Retention.Age == 0 || c.Metrics.Listen == "" || !c.Console.Enabled {
		t.Errorf("loaded %+v", c)
	}
}

// TestFaults replaces a part of the minimal file and wants one error.
func TestFaults(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           string // after the path of the file
	}{
		{"missing field", "account: \"123456789012\"\n", "", `: account: is missing`},
		{"missing nested field", "label: t", "", `:11: hsm.token: needs exactly one of label, serial, has 0`},
		{"unknown key", "region:", "regoin: x\nregion:", `:2: unknown key "regoin"`},
		{"unknown nested key", "profile:", "user: x\n  profile:", `:13: unknown key "user"`},
		{"repeated key", "data_dir:", "region: x\ndata_dir:", `:3: mapping key "region" already defined at line 2`},
		{"wrong type", "profile:", "sessions: many\n  profile:", ":13: hsm.sessions: \"many\" is not a whole number"},
		{"duration without unit", "profile:", "hang_timeout: 10\n  profile:", `:13: hsm.hang_timeout: 10 has no unit; write 10s for seconds`},
		{"no duration", "region:", "limits: {max_deadline: long, default_deadline: 1s}\nregion:", `:2: limits.max_deadline: "long" is not a duration such as 500ms, 10s or 2m`},
		{"fraction", "profile:", "sessions: 1.5\n  profile:", `:13: hsm.sessions: "1.5" is not a whole number`},
		{"long wrong value", "profile:", "sessions: a great many of them\n  profile:", `:13: hsm.sessions: "a great many of them" is not a whole number`},
		{"no bool", "region:", "log: {json: text}\nregion:", `:2: log.json: "text" is neither true nor false`},
		{"no list", "[admin]", "admin", `:8: principals[0].policies: wants a list`},
		{"no text", "data_dir: /data", "data_dir: [/data]", `:3: data_dir: wants a text`},
		{"no structure", "tls: {cert: /c, key: /k, client_ca: /ca}", "tls: /c", `:4: tls: wants fields of its own, not a str`},
		{"not YAML", "region:", "\tregion:", `:2: found character that cannot start any token`},
		{"second document", "region:", "---\nregion:", `: the file has more than one YAML document`},
		{"account", "1234567890", "123456789", `:1: account: "12345678912" is not 12 digits`},
		{"region", "eu-central-1", "frankfurt", `:2: region: "frankfurt" is not a Region such as "eu-central-1"`},
		{"long region", "eu-central-1", strings.Repeat("e", 29) + "-b-1", `:2: region: has 33 bytes, more than 32`},
		{"no region", "region: eu-central-1\n", "", `: region: is missing, and so is regions`},
		{"no regions", "region: eu-central-1", "regions: []", `: region: is missing, and so is regions`},
		{"region and regions", "data_dir:", "regions: [eu-west-1]\ndata_dir:", `:3: regions: stands beside region; only one of the two can be given`},
		{"bad region of several", "region: eu-central-1", "regions: [eu-west-1, dublin]", `:2: regions[1]: "dublin" is not a Region such as "eu-central-1"`},
		{"region twice", "region: eu-central-1", "regions: [eu-west-1, eu-west-1]", `:2: regions[1]: "eu-west-1" stands at regions[0] already`},
		{"empty region", "region: eu-central-1", "regions: [eu-west-1, \"\"]", `:2: regions[1]: is missing`},
		{"too many regions", "region: eu-central-1", "regions: [" + manyRegions(65) + "]", `:2: regions: has 65 Regions, more than 64`},
		{"relative path", "/data", "data", `:3: data_dir: "data" is not an absolute path`},
		{"relative path in a structure", "key: /k", "key: k", `:4: tls.key: "k" is not an absolute path`},
		{"listen", "region:", "listen: localhost\nregion:", `:2: listen: "localhost" is not of the form "host:port"`},
		{"listen port", "region:", "listen: localhost:kms\nregion:", `:2: listen: "localhost:kms" is not of the form "host:port"`},
		{"arn", "arn:aws:iam::123456789012:user/alice", "alice", `:6: principals[0].arn: "alice" is not the ARN of an IAM user or role`},
		{"no names", "names: [spiffe://corp/alice]", "names: []", `:7: principals[0].names: is missing: no certificate could belong to this principal`},
		{"bad name", "spiffe://corp/alice", "Alice!", `:7: principals[0].names[0]: "Alice!" is neither a URI nor a DNS name in lower case`},
		{"URI in capitals", "spiffe://corp/alice", "SPIFFE://corp/alice", `:7: principals[0].names[0]: "SPIFFE://corp/alice" is not a URI as certificates have it, such as "spiffe://corp/alice"`},
		{"bad URI", "spiffe://corp/alice", "\"://alice\"", `:7: principals[0].names[0]: "://alice" is not a URI: missing protocol scheme`},
		{"name twice", "[spiffe://corp/alice]", "[a.corp, a.corp]", `:7: principals[0].names[1]: "a.corp" stands at principals[0].names[0] already`},
		{"unknown policy", "[admin]", "[admin, root]", `:8: principals[0].policies[1]: "root" is not one of admin, auditor, user`},
		{"policy file without a path", "hsm:", "policies: {deploy: deploy.json}\nhsm:", `:9: policies.deploy: "deploy.json" is not an absolute path`},
		{"policy named as a built-in one", "hsm:", "policies: {user: /etc/user.json}\nhsm:", `:9: policies.user: is the name of a built-in policy`},
		{"no policies", "    policies: [admin]\n", "", `:6: principals[0].policies: is missing: this principal could do nothing`},
		{"principal twice", "hsm:", "  - arn: arn:aws:iam::123456789012:user/alice\n    names: [b]\n    policies: [user]\nhsm:", `:9: principals[1].arn: "arn:aws:iam::123456789012:user/alice" stands at principals[0].arn already`},
		{"token twice", "label: t", "label: t, serial: s", `:11: hsm.token: needs exactly one of label, serial, has 2`},
		{"token label too long", "label: t", "label: " + strings.Repeat("t", 33), `:11: hsm.token.label: has 33 bytes, more than 32`},
		{"pin twice", "file: /pin", "file: /pin, env: PIN", `:12: hsm.pin: needs exactly one of command, env, file, has 2`},
		{"pin command", "file: /pin", "command: [cat, /pin]", `:12: hsm.pin.command[0]: "cat" is not an absolute path`},
		{"pin variable", "file: /pin", "env: A=B", `:12: hsm.pin.env: "A=B" is not the name of an environment variable`},
		{"profile", "softhsm", "luna", `:13: hsm.profile: "luna" is not one of softhsm, cloudhsm, pkcs11`},
		{"environment", "profile:", "env: {1A: x}\n  profile:", `:13: hsm.env.1A: is not the name of an environment variable`},
		{"sessions", "profile:", "sessions: 257\n  profile:", `:13: hsm.sessions: 257 is not between 1 and 256`},
		{"no sessions", "profile:", "sessions: 0\n  profile:", `:13: hsm.sessions: 0 is not between 1 and 256`},
		{"no requests", "profile:", "max_in_flight: 0\n  profile:", `:13: hsm.max_in_flight: 0 is not between 1 and 65536`},
		{"no hang timeout", "profile:", "hang_timeout: 0s\n  profile:", `:13: hsm.hang_timeout: 0s is not between 100ms and 10m0s`},
		{"hang timeout", "profile:", "hang_timeout: 1ms\n  profile:", `:13: hsm.hang_timeout: 1ms is not between 100ms and 10m0s`},
		{"hsm id", "profile:", "hsm_id: hsm1\n  profile:", `:13: hsm.hsm_id: "hsm1" is not "hsm-" and 11 to 16 of a-z and 2-7`},
		{"deadlines", "region:", "limits: {default_deadline: 31s}\nregion:", `:2: limits.default_deadline: 31s is not between 1ms and 30s`},
		{"no requests in flight", "region:", "limits: {max_in_flight: 0}\nregion:", `:2: limits.max_in_flight: 0 is not between 1 and 65536`},
		{"too many connections", "region:", "limits: {max_connections: 65537}\nregion:", `:2: limits.max_connections: 65537 is not between 1 and 65536`},
		{"no time to drain", "region:", "limits: {drain_timeout: 0s}\nregion:", `:2: limits.drain_timeout: 0s is not between 1s and 10m0s`},
		{"log level", "region:", "log: {level: loud}\nregion:", `:2: log.level: "loud" is not one of trace, debug, info, warn, error`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if strings.Count(minimal, tc.old) == 0 {
				t.Fatalf("the file has no %q to replace", tc.old)
			}
			_, err := load(t, strings.Replace(minimal, tc.old, tc.new, 1))
			var faults config.Errors
			if !errors.As(err, &faults) || len(faults) != 1 {
				t.Fatalf("got %v, want one fault", err)
			}
			if _, after, _ := strings.Cut(err.Error(), "c.yaml"); after != tc.want {
				t.Errorf("got\n%s\nwant\n%s", after, tc.want)
			}
		})
	}
}

// manyRegions is a list of different Regions.
func manyRegions(n int) string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("eu-west-%d", i+1))
	}
	return strings.Join(names, ", ")
}

func TestTheFirstRegionIsTheDefault(t *testing.T) {
	for text, want := range map[string][]string{
		"region: eu-central-1":                 {"eu-central-1"},
		"regions: [eu-west-1]":                 {"eu-west-1"},
		"regions: [us-gov-east-1, ap-south-1]": {"us-gov-east-1", "ap-south-1"},
		"regions: [" + manyRegions(64) + "]":   strings.Split(manyRegions(64), ", "),
	} {
		c, err := load(t, strings.Replace(minimal, "region: eu-central-1", text, 1))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, c.RegionNames()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// Every profile of a token is one that a pool of HSMs knows.
func TestProfiles(t *testing.T) {
	for _, profile := range []string{"softhsm", "cloudhsm", "pkcs11"} {
		if _, err := load(t, strings.Replace(minimal, "profile: softhsm", "profile: "+profile, 1)); err != nil {
			t.Errorf("%s: %v", profile, err)
		}
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	_, err := load(t, "account: \"1\"\n")
	var faults config.Errors
	if !errors.As(err, &faults) {
		t.Fatalf("got %v", err)
	}
	want := []string{
		"account", "region", "data_dir", "tls.cert", "tls.key", "tls.client_ca", "principals",
		"hsm.library", "hsm.token", "hsm.profile", "hsm.pin",
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Field)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields with faults (-want +got):\n%s", diff)
	}
}

func TestUnreadableFiles(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := load(t, ""); err == nil || !strings.Contains(err.Error(), "the file is empty") {
		t.Errorf("empty file: %v", err)
	}
	if _, err := load(t, strings.Repeat("# much too long\n", 1<<20)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("huge file: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(minimal)
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := load(t, text)
		if err == nil && c.Validate() != nil {
			t.Error("loaded a configuration that does not validate")
		}
	})
}
