package dev

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/devpki"
)

// What the server of `strongroom dev` says it is.
const (
	account    = "000000000000"
	region     = "us-east-1"
	tokenLabel = "strongroom-dev"
)

// layout is a data directory. Its paths are absolute.
type layout struct {
	dir     string
	library string
	address string

	ca     string
	server devpki.Pair
	admin  devpki.Pair
}

// prepare makes what is missing in the data directory, but for the token.
func prepare(o Options) (*layout, error) {
	if err := requireLoopback(o.Listen); err != nil {
		return nil, err
	}
	library, err := findLibrary(o.Library, libraryPatterns())
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	l := &layout{dir: dir, library: library, address: o.Listen}
	for _, step := range []func() error{l.makeDirs, l.makePINs, l.writeSoftHSMConfig, l.makeCertificates} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("preparing %s: %w", dir, err)
		}
	}
	return l, nil
}

func (l *layout) path(name string) string { return filepath.Join(l.dir, name) }

func (l *layout) makeDirs() error {
	for _, dir := range []string{l.dir, l.path("tokens"), l.path("tls")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// makePINs makes random PINs unless they are there.
func (l *layout) makePINs() error {
	for _, name := range []string{"pin", "so-pin"} {
		_, err := os.Lstat(l.path(name))
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := atomicfile.WriteBytes(l.path(name), atomicfile.Create, 0o600, []byte(rand.Text()+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// softHSMConfig is the file that the worker's SOFTHSM2_CONF names.
func (l *layout) softHSMConfig() string { return l.path("softhsm2.conf") }

func (l *layout) writeSoftHSMConfig() error {
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", l.path("tokens"))
	return atomicfile.WriteBytes(l.softHSMConfig(), atomicfile.Replace, 0o644, []byte(text))
}

func (l *layout) makeCertificates() error {
	ca, err := devpki.Open(l.path("tls"))
	if err != nil {
		return err
	}
	l.ca = ca.File
	if l.server, err = ca.Server(); err != nil {
		return err
	}
	if l.admin, err = ca.Client("admin", clientURI("admin")); err != nil {
		return err
	}
	_, err = ca.Client("app", clientURI("app"))
	return err
}

// clientURI is the subject alternative name of a client's certificate.
func clientURI(name string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: "strongroom.internal", Path: "/dev/" + name}
}

// connection is how the admin connects.
func (l *layout) connection() connect.Options {
	return connect.Options{
		Address:    l.address,
		CACert:     l.ca,
		ClientCert: l.admin.Cert,
		ClientKey:  l.admin.Key,
	}
}

// envFile is the file for a shell to source.
func (l *layout) envFile() string { return l.path("env") }

// writeEnv is done when the server serves: the file of a running server must
// not be lost to a second one that cannot start.
func (l *layout) writeEnv() error {
	c := l.connection()
	var b strings.Builder
	b.WriteString("# Source this to use the development server as the principal admin (policy admin).\n")
	b.WriteString("# For the principal app (policy user) set the client files to tls/app.pem and tls/app-key.pem.\n")
	for _, v := range [][2]string{
		{"STRONGROOM_ADDRESS", c.Address},
		{"STRONGROOM_CA_CERT", c.CACert},
		{"STRONGROOM_CLIENT_CERT", c.ClientCert},
		{"STRONGROOM_CLIENT_KEY", c.ClientKey},
	} {
		fmt.Fprintf(&b, "export %s=%s\n", v[0], shellQuote(v[1]))
	}
	return atomicfile.WriteBytes(l.envFile(), atomicfile.Replace, 0o644, []byte(b.String()))
}

// shellQuote makes one word of s for any POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// config is what a configuration file would say.
func (l *layout) config() (*config.Config, error) {
	c := config.Default()
	c.Account = account
	c.Region = region
	c.DataDir = l.dir
	c.Listen = l.address
	c.TLS = config.TLS{Cert: l.server.Cert, Key: l.server.Key, ClientCA: l.ca}
	c.Principals = []config.Principal{principal("admin", "admin"), principal("app", "user")}
	c.HSM = config.HSM{
		Library: l.library,
		Token:   config.Token{Label: tokenLabel},
		PIN:     config.PIN{File: l.path("pin")},
		Profile: "softhsm",
		Env:     l.workerEnv(),
	}
	return c, c.Validate()
}

func principal(name, policy string) config.Principal {
	return config.Principal{
		ARN:      "arn:aws:iam::" + account + ":user/" + name,
		Names:    []string{clientURI(name).String()},
		Policies: []string{policy},
	}
}

func (l *layout) workerEnv() map[string]string {
	return map[string]string{"SOFTHSM2_CONF": l.softHSMConfig()}
}
