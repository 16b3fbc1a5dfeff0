package strongroomtest

import "github.com/strongroom-kms/strongroom/internal/devserver"

// Option changes what Start starts.
type Option func(*options)

type options struct {
	principals []devserver.Principal
	regions    []string
	clusters   []devserver.ClusterOptions
	library    string
	logLevel   string
}

// WithPrincipal adds a caller with a client certificate and with built-in policies
// ("admin", "user", "auditor"); without any, the certificate is good but the
// server does not know whose it is. The name has letters, digits and dashes.
// There are always admin (policy admin), app (user) and auditor (auditor).
func WithPrincipal(name string, policies ...string) Option {
	return func(o *options) {
		o.principals = append(o.principals, devserver.Principal{Name: name, Policies: policies})
	}
}

// WithRegions has the server keep keys in these Regions, such as "eu-west-1",
// instead of us-east-1. Requests mean the first one, unless their gRPC header
// strongroom-region names another. Start refuses what is no Region.
func WithRegions(first string, others ...string) Option {
	return func(o *options) { o.regions = append([]string{first}, others...) }
}

// ClusterConfig describes an HSM cluster. Only its ID is mandatory.
type ClusterConfig struct {
	// ID names the cluster: "cluster-" and 11 to 16 of a-z, A-Z and 2-7, of your
	// choice.
	ID string
	// RequestsPerSecond is the quota of the cluster's key store; 0 means none.
	RequestsPerSecond int
	// RelatedTo is the ID of an earlier cluster whose trust anchor this one shares,
	// as copies of one cluster do. It does not have the other's keys.
	RelatedTo string
}

// WithCluster adds an HSM cluster that custom key stores can be made of: a SoftHSM
// token of its own, which takes a tenth of a second. Server.Cluster has what
// CreateCustomKeyStore wants to know of it.
func WithCluster(c ClusterConfig) Option {
	return func(o *options) { o.clusters = append(o.clusters, devserver.ClusterOptions(c)) }
}

// WithLibrary names the SoftHSM library, if it is not in one of the usual places.
func WithLibrary(path string) Option {
	return func(o *options) { o.library = path }
}

// WithLogLevel says how much of the server's log is in the test's: "trace",
// "debug", "info", "warn" (the default), "error" or "off". Start refuses others.
func WithLogLevel(level string) Option {
	return func(o *options) { o.logLevel = level }
}
