// Package config is the configuration of `strongroom serve`: one YAML file,
// whose reference is docs/configuration.md, for people, and Config, for code.
//
// It is strict: unknown and repeated keys, a second document and values of the
// wrong type are refused, and so is everything that Validate finds. Errors name
// the line and the field. The file holds no secrets; it says where they are.
package config

import "time"

// Config is the whole file. Fields without a stated default are mandatory.
// Durations are written as Go does: "500ms", "30s", "2m".
type Config struct {
	// Account is the AWS account number in the ARNs of keys and in events: 12
	// digits, of your choice. It cannot be changed once keys exist.
	Account string `yaml:"account"`
	// Region is the Region in the ARNs of keys and in events, such as
	// "eu-central-1". It cannot be changed once keys exist. It stands for Regions
	// with this one; exactly one of the two is given.
	Region string `yaml:"region"`
	// Regions are 1 to 64 Regions, each of which is a namespace of keys of its
	// own. Requests that name no Region mean the first. One can be added any
	// time, and removed when it has no keys.
	Regions []string `yaml:"regions"`
	// DataDir is the directory of the journal (journal/) and of the key metadata
	// (metadata.db), an absolute path. It is made if missing. It must be on a
	// local disk: answers wait until it has their records.
	DataDir string `yaml:"data_dir"`
	// Listen is the address of the gRPC server, "host:port". Default
	// "127.0.0.1:7400".
	Listen string `yaml:"listen"`
	// AWS is the endpoint for AWS clients. Default: there is none.
	AWS AWS `yaml:"aws"`
	// TLS is the server's identity, and whose clients it accepts.
	TLS TLS `yaml:"tls"`
	// Policies are identity policies by name: JSON files in the language of AWS IAM
	// (docs/policies.md), each an absolute path. They are read at the start.
	// Default: none but the built-in ones.
	Policies map[string]string `yaml:"policies"`
	// Principals are the callers and what they may do; at least one.
	Principals []Principal `yaml:"principals"`
	// HSM is the token that makes and holds the keys.
	HSM HSM `yaml:"hsm"`
	// Clusters are HSM clusters that custom key stores can be made of, each with a
	// token of its own. Default: none.
	Clusters []Cluster `yaml:"clusters"`
	// Limits bound a request, and all of them together.
	Limits Limits `yaml:"limits"`
	// Audit says what is made of the audit trails, and who is sent them.
	Audit Audit `yaml:"audit"`
	// Metrics is an endpoint for Prometheus. Default: there is none.
	Metrics Metrics `yaml:"metrics"`
	// MetricFilters are conditions on records of the audit trails that are counted, beside
	// the built-in ones. Default: none.
	MetricFilters []MetricFilter `yaml:"metric_filters"`
	// Console is a web console at the endpoint of Metrics. Default: there is none.
	Console Console `yaml:"console"`
	// OpenTelemetry is a collector of metrics and traces. Default: there is none.
	OpenTelemetry OpenTelemetry `yaml:"opentelemetry"`
	// Log says what the server's own log holds. The audit trails are not part
	// of it, and what they record cannot be configured.
	Log Log `yaml:"log"`

	// file and lines say where fields stand, for errors.
	file  string
	lines lines
}

// AWS is an endpoint that AWS clients are pointed at: the AWS JSON protocol, whose
// requests are signed with access keys (strongroom principal create-key).
type AWS struct {
	// Listen is its address, "host:port". Default: none.
	Listen string `yaml:"listen"`
	// Plaintext is HTTP without TLS, for a loopback address only. Default false:
	// TLS with the server's certificate, tls.cert.
	Plaintext bool `yaml:"plaintext"`
}

// TLS names PEM files, by absolute path.
type TLS struct {
	// Cert is the server's certificate, followed by any intermediate ones.
	Cert string `yaml:"cert"`
	// Key is the private key of Cert.
	Key string `yaml:"key"`
	// ClientCA has the certificates of the authorities that issue client
	// certificates. A client without one is refused.
	ClientCA string `yaml:"client_ca"`
}

// Principal is one caller.
type Principal struct {
	// ARN is how policies and events name the caller, such as
	// "arn:aws:iam::123456789012:user/billing" (or ":role/...").
	ARN string `yaml:"arn"`
	// Names are the subject alternative names (URI or DNS) that identify the
	// caller's client certificate; any one is enough. A name belongs to one
	// principal.
	Names []string `yaml:"names"`
	// Policies are the names of policies, of the file's or of built-in ones, whose
	// permissions add up:
	// "admin" (everything), "user" (use and list keys) or "auditor" (read both
	// audit trails and the state of the HSMs).
	Policies []string `yaml:"policies"`
}

// HSM is the token of the keys that are in no custom key store.
type HSM struct {
	Device `yaml:",inline"`
	// PIN says where the user PIN comes from.
	PIN PIN `yaml:"pin"`
	// ClusterID names the HSM's cluster: "cluster-" and 11 to 16 of a-z and
	// 2-7. Default: derived from the token's serial number.
	ClusterID string `yaml:"cluster_id"`
}

// Cluster is an HSM cluster that a custom key store can be made of. It has no
// PIN: the password of its user for key stores comes with CreateCustomKeyStore.
type Cluster struct {
	// ID is how requests name the cluster: "cluster-" and 11 to 16 of a-z, A-Z
	// and 2-7. No two clusters have the same.
	ID     string `yaml:"id"`
	Device `yaml:",inline"`
	// TrustAnchor is the PEM file of the certificate that the cluster is known
	// by, an absolute path: for AWS CloudHSM customerCA.crt. Clusters with the
	// same one are related: copies of one cluster.
	TrustAnchor string `yaml:"trust_anchor"`
	// MinActiveHSMs is how many HSMs must be active for a key store or a key to
	// be made, 1 to the number of members. Default (0 in Go, not in a file): 1.
	MinActiveHSMs int `yaml:"min_active_hsms"`
	// RequestsPerSecond is how many cryptographic requests the key store answers
	// in a second, up to 1,000,000; more are refused at once. Default 0: as many
	// as it can.
	RequestsPerSecond int `yaml:"requests_per_second"`
}

// Device says how to reach a token and how it is to be treated.
type Device struct {
	// Library is the vendor's PKCS#11 library, an absolute path. It is loaded
	// by a child process only.
	Library string `yaml:"library"`
	// Token selects the token; exactly one must match.
	Token Token `yaml:"token"`
	// Profile describes the habits of the token: "softhsm", "cloudhsm", or
	// "pkcs11" for any other.
	Profile string `yaml:"profile"`
	// Env is the whole environment of the child process (but for PATH), such as
	// SOFTHSM2_CONF. Default: empty.
	Env map[string]string `yaml:"env"`
	// Sessions is the number of sessions that carry out requests, 1 to 256.
	// Default (0 in Go, not in a file): 1 for softhsm, whose locks make more useless, 32 for cloudhsm, 8 for pkcs11.
	Sessions int `yaml:"sessions"`
	// HangTimeout is how long the library may be at one request, and the child
	// process silent, before the process is replaced, 100ms to 10m. Default 10s.
	// Making or destroying a key may take a minute.
	HangTimeout time.Duration `yaml:"hang_timeout"`
	// MaxInFlight is the number of requests that may wait for the token at the
	// same time, 1 to 65,536; more are refused at once. Default (0 in Go, not in a
	// file): half of Limits.MaxInFlight, of a cluster a quarter, so that an HSM that
	// hangs leaves places for requests to the others.
	MaxInFlight int `yaml:"max_in_flight"`
	// HSMID names the HSM in both audit trails: "hsm-" and 11 to 16 of a-z and
	// 2-7. Default: derived from the token's serial number. Not beside Members.
	HSMID string `yaml:"hsm_id"`
	// Members are the HSMs, 1 to 28, if they are several that hold the same keys.
	// Each has a child process of its own. Default: the one that the other fields
	// describe.
	Members []Member `yaml:"members"`
	// Availability is how many members must know a new key before it is answered, 1
	// to their number. Default (0 in Go, not in a file): 2 of several, else 1.
	Availability int `yaml:"availability"`
	// KeysLimit is how many keys the HSMs can have together, 1 to 10,000,000: of AWS
	// CloudHSM 3,300 (hsm1.medium) or 16,666 (hsm2m.medium). It is told as a metric, for
	// alarms, and holds nothing back. Default (0 in Go, not in a file): nobody knows.
	KeysLimit int `yaml:"keys_limit"`
	// Telemetry is where the operator's own values of the HSM's metrics come from. Not
	// beside Members. Default: none.
	Telemetry Telemetry `yaml:"telemetry"`
}

// Member is one of several HSMs that hold the same keys: an HSM of a cluster, or one
// way to it. What it leaves out is as in its Device.
type Member struct {
	// HSMID names it in both audit trails, as Device.HSMID does. Mandatory if there
	// are several members; no two HSMs of the file have the same.
	HSMID string `yaml:"hsm_id"`
	// Library is the PKCS#11 library, an absolute path.
	Library string `yaml:"library"`
	// Token selects the token, by one of its fields.
	Token Token `yaml:"token"`
	// Env is the whole environment of the member's child process, but for PATH. An
	// empty one is that of its Device.
	Env map[string]string `yaml:"env"`
	// Telemetry is where the operator's own values of its metrics come from. Default: none.
	Telemetry Telemetry `yaml:"telemetry"`
}

// Token selects a token by exactly one of its fields.
type Token struct {
	// Label is the token's label, up to 32 bytes.
	Label string `yaml:"label"`
	// Serial is the token's serial number, up to 16 bytes.
	Serial string `yaml:"serial"`
}

// PIN is where the PIN comes from: exactly one of the fields is set. For AWS
// CloudHSM the PIN is "<user>:<password>". The child process reads it; it is
// in no argument list and in no log.
type PIN struct {
	// File holds the PIN and nothing else but a final newline; an absolute path.
	File string `yaml:"file"`
	// Env is the name of an environment variable of the server.
	Env string `yaml:"env"`
	// Command is a program, by absolute path, and its arguments; it prints the
	// PIN.
	Command []string `yaml:"command"`
}

// Limits bound a request, and all of them together.
type Limits struct {
	// DefaultDeadline is the time that a request has when its client did not
	// set one. Default 10s.
	DefaultDeadline time.Duration `yaml:"default_deadline"`
	// MaxDeadline is the most that a client can set, up to 5m. Default 30s.
	MaxDeadline time.Duration `yaml:"max_deadline"`
	// MaxInFlight is the number of requests that are worked on at the same time,
	// 1 to 65,536, three quarters of them for the same principal; more are
	// refused at once. Default 512.
	MaxInFlight int `yaml:"max_in_flight"`
	// MaxConnections is the number of connections that are open at the same
	// time, 1 to 65,536; more are closed at once. Default 1,024.
	MaxConnections int `yaml:"max_connections"`
	// DrainTimeout is the time that requests in flight have to finish when the
	// server stops, 1s to 10m. Default 30s.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// Log says what the server's own log holds.
type Log struct {
	// Level is "trace", "debug", "info", "warn" or "error". Default "info".
	Level string `yaml:"level"`
	// JSON makes each line a JSON object. Default false: text.
	JSON bool `yaml:"json"`
}

// RegionNames returns the Regions in their order, the default one first.
func (c *Config) RegionNames() []string {
	if c.Region != "" {
		return []string{c.Region}
	}
	return c.Regions
}

// Default returns a Config of nothing but the defaults.
func Default() *Config {
	return &Config{
		Listen: "127.0.0.1:7400",
		Limits: Limits{
			DefaultDeadline: 10 * time.Second, MaxDeadline: 30 * time.Second,
			MaxInFlight: 512, MaxConnections: 1024, DrainTimeout: 30 * time.Second,
		},
		Audit: defaultAudit(), OpenTelemetry: defaultOpenTelemetry(),
		Log: Log{Level: "info"},
	}
}
