package devserver

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/devpki"
)

// Site is a data directory with all that a server and its clients need. Its
// paths are absolute.
type Site struct {
	// Dir is the data directory.
	Dir string
	// Address is where the server listens, "host:port", and AWSAddress the same for
	// AWS clients, and for Prometheus; empty: nowhere.
	Address, AWSAddress, MetricsAddress string
	// ConsoleURL is the console's; empty: there is none.
	ConsoleURL string
	// Account is the account number of everything, and Region the default Region.
	Account, Region string
	// CACert is the PEM file of the authority that issued all certificates.
	CACert string
	// Principals are those that the server knows.
	Principals []Principal
	// Clusters are those that custom key stores can be made of.
	Clusters []Cluster

	library string
	token   token // of the keys that are in no custom key store
	server  devpki.Pair
	clients map[string]devpki.Pair // by the principal's name
}

// prepare makes what is missing in the data directory, but for the token.
func prepare(o Options) (*Site, error) {
	if err := requireLoopback("--listen", o.Listen); err != nil {
		return nil, err
	}
	if o.AWSListen != "" {
		if err := requireLoopback("--aws-listen", o.AWSListen); err != nil {
			return nil, err
		}
	}
	if o.MetricsListen != "" {
		if err := requireLoopback("--metrics-listen", o.MetricsListen); err != nil {
			return nil, err
		}
	}
	library, err := findLibrary(o.Library, libraryPatterns())
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	s := &Site{Dir: dir, Address: o.Listen, Account: cmp.Or(o.Account, Account), Principals: o.Principals, library: library, clients: map[string]devpki.Pair{}}
	if s.Principals == nil {
		s.Principals = DefaultPrincipals()
	}
	s.token = newToken(dir, tokenLabel, o.WorkerEnv)
	prepareClusters := func() error { return s.prepareClusters(o) }
	for _, step := range []func() error{s.makeDirs, s.token.prepare, prepareClusters, s.makeCertificates} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("preparing %s: %w", dir, err)
		}
	}
	return s, nil
}

// Connection is how a principal calls the server, at Address.
func (s *Site) Connection(principal string) (client.Config, error) {
	pair, ok := s.clients[principal]
	if !ok {
		return client.Config{}, fmt.Errorf("there is no principal %q", principal)
	}
	return client.Config{CACert: s.CACert, ClientCert: pair.Cert, ClientKey: pair.Key}, nil
}

// Env is the environment in which the command line calls the server as a
// principal: names and values.
func (s *Site) Env(principal string) ([][2]string, error) {
	c, err := s.Connection(principal)
	return [][2]string{
		{"STRONGROOM_ADDRESS", s.Address},
		{"STRONGROOM_CA_CERT", c.CACert},
		{"STRONGROOM_CLIENT_CERT", c.ClientCert},
		{"STRONGROOM_CLIENT_KEY", c.ClientKey},
	}, err
}

func (s *Site) path(name string) string { return filepath.Join(s.Dir, name) }

func (s *Site) makeDirs() error {
	return os.MkdirAll(s.path("tls"), 0o700)
}

func (s *Site) makeCertificates() error {
	ca, err := devpki.Open(s.path("tls"))
	if err != nil {
		return err
	}
	s.CACert = ca.File
	if s.server, err = ca.Server(); err != nil {
		return err
	}
	for _, p := range s.Principals {
		if err := p.check(); err != nil {
			return err
		}
		if s.clients[p.Name], err = ca.Client(p.Name, p.uri()); err != nil {
			return err
		}
	}
	return nil
}

// logFilePeriod is short, so that who tries the server sees its log files soon. Digests
// come as often as elsewhere, and at the end: there is one of each Region.
const logFilePeriod = 30 * time.Second

// config is what a configuration file would say.
func (s *Site) config(o Options) (*config.Config, error) {
	c := config.Default()
	c.Account = s.Account
	c.Regions = o.Regions
	if len(c.Regions) == 0 {
		c.Regions = []string{Region}
	}
	s.Region = c.Regions[0]
	c.DataDir = s.Dir
	c.Listen = o.Listen
	c.AWS = config.AWS{Listen: o.AWSListen, Plaintext: o.AWSListen != ""}
	c.TLS = config.TLS{Cert: s.server.Cert, Key: s.server.Key, ClientCA: s.CACert}
	for _, p := range s.Principals {
		if len(p.Policies) > 0 {
			c.Principals = append(c.Principals, s.configOf(p))
		}
	}
	c.Audit.LogFilePeriod = logFilePeriod
	c.Metrics.Listen = o.MetricsListen
	c.Console.Enabled = o.MetricsListen != ""
	c.HSM = config.HSM{Device: s.token.device(s.library), PIN: config.PIN{File: s.token.pin()}}
	for _, cluster := range s.Clusters {
		c.Clusters = append(c.Clusters, cluster.config(s.library))
	}
	return c, c.Validate()
}
