package harness

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names of the principals that a Site's configuration knows; Stranger, whose
// certificate is good but belongs to no principal; Nobody, who has none.
const (
	Admin    = "alice"
	User     = "bob"
	Auditor  = "carol"
	Stranger = "mallory"
	Nobody   = ""
)

// ARN is the principal's name in policies and events.
func ARN(name string) string { return "arn:aws:iam::111122223333:user/" + name }

// Options change what NewSite makes. All but Binary and Dir may be zero.
type Options struct {
	// Binary is the strongroom program.
	Binary string
	// Dir takes all files; it must exist.
	Dir string
	// Token is an existing token; nil: a new one is made.
	Token *Token
	// Library replaces the token's library in the configuration.
	Library string
	// WorkerEnv is added to the environment of the HSM worker.
	WorkerEnv map[string]string
	// Members are the HSMs of the default key store, if they are several, and
	// Availability the configuration's hsm.availability; 0: it does not say.
	Members      []Member
	Availability int
	// Clusters are those that custom key stores can be made of.
	Clusters []Cluster
	// HangTimeout is the configuration's hsm.hang_timeout.
	HangTimeout time.Duration
	// LogLevel is the configuration's log.level; default "info".
	LogLevel string
	// AWS has the server answer AWS clients too.
	AWS bool
	// Env is added to the environment of the server, as NAME=value.
	Env []string
	// Profile is the configuration's hsm.profile; default "softhsm".
	Profile string
	// Label is the configuration's hsm.token.label; default TokenLabel.
	Label string
	// HSM is further lines of the configuration's hsm, such as "sessions: 4".
	HSM []string
	// Limits is the configuration's limits, such as "{max_in_flight: 4096}".
	Limits string
}

// Site is a directory with everything that a server needs.
type Site struct {
	// DataDir is the server's data directory.
	DataDir string
	// Config is the configuration file.
	Config string
	// CA issued the server's certificate and those of Identities, by name.
	CA         *CA
	Identities map[string]Identity
	Token      *Token

	options Options
}

// NewSite makes certificates, a token and a configuration in o.Dir.
func NewSite(ctx context.Context, o Options) (*Site, error) {
	s := &Site{
		DataDir:    filepath.Join(o.Dir, "data"),
		Config:     filepath.Join(o.Dir, "strongroom.yaml"),
		Identities: map[string]Identity{},
		Token:      o.Token,
		options:    o,
	}
	var err error
	if s.CA, err = NewCA(o.Dir, "ca"); err != nil {
		return nil, err
	}
	for _, name := range []string{Admin, User, Auditor, Stranger} {
		if s.Identities[name], err = s.CA.IssueClient(name, SPIFFE(name)); err != nil {
			return nil, err
		}
	}
	if s.Token == nil {
		if s.Token, err = NewToken(ctx, o.Dir); err != nil {
			return nil, err
		}
	}
	s.options.Clusters = slices.Clone(o.Clusters)
	for i := range s.options.Clusters {
		if err := s.options.Clusters[i].prepare(ctx, o.Dir); err != nil {
			return nil, err
		}
	}
	identity, err := s.CA.IssueServer("server")
	if err != nil {
		return nil, err
	}
	return s, s.writeConfig(identity)
}

// Library is the PKCS#11 library that the configuration names.
func (s *Site) Library() string { return orDefault(s.options.Library, s.Token.Library) }

// SPIFFE is the URI in the principal's certificate.
func SPIFFE(name string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: "it.example", Path: "/" + name}
}

// writeConfig writes the configuration; port 0 lets every start choose a port.
func (s *Site) writeConfig(server Identity) error {
	var b strings.Builder
	fmt.Fprintf(&b, "account: \"111122223333\"\nregion: %s\ndata_dir: %q\nlisten: 127.0.0.1:0\n", Region, s.DataDir)
	fmt.Fprintf(&b, "tls: {cert: %q, key: %q, client_ca: %q}\n", server.Cert, server.Key, s.CA.Cert)
	if s.options.AWS {
		b.WriteString("aws: {listen: 127.0.0.1:0}\n")
	}
	b.WriteString("principals:\n")
	for _, p := range [][2]string{{Admin, "admin"}, {User, "user"}, {Auditor, "auditor"}} {
		fmt.Fprintf(&b, "  - {arn: %q, names: [%q], policies: [%s]}\n", ARN(p[0]), SPIFFE(p[0]), p[1])
	}
	fmt.Fprintf(&b, "log: {level: %s}\n", orDefault(s.options.LogLevel, "info"))
	if s.options.Limits != "" {
		fmt.Fprintf(&b, "limits: %s\n", s.options.Limits)
	}
	s.writeHSM(&b)
	if len(s.options.Clusters) > 0 {
		b.WriteString("clusters:\n")
	}
	for _, c := range s.options.Clusters {
		c.write(&b)
	}
	if err := os.WriteFile(s.Config, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// writeHSM writes what the configuration says of the default key store's HSMs.
func (s *Site) writeHSM(b *strings.Builder) {
	o := s.options
	fmt.Fprintf(b, "hsm:\n  library: %q\n  token: {label: %q}\n  pin: {file: %q}\n  profile: %s\n",
		s.Library(), orDefault(o.Label, TokenLabel), s.Token.PINFile, orDefault(o.Profile, "softhsm"))
	for _, line := range o.HSM {
		fmt.Fprintf(b, "  %s\n", line)
	}
	if o.HangTimeout != 0 {
		fmt.Fprintf(b, "  hang_timeout: %v\n", o.HangTimeout)
	}
	if o.Availability != 0 {
		fmt.Fprintf(b, "  availability: %d\n", o.Availability)
	}
	env := s.Token.environment(o.WorkerEnv)
	writeEnv(b, "  ", env)
	writeMembers(b, "  ", o.Members, env)
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
