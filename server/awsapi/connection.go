package awsapi

import (
	"crypto/tls"
	"net"

	"github.com/strongroom-kms/strongroom/keystore"
)

// tls describes the request's connection.
func (x *exchange) tls() *keystore.TLS {
	state := x.r.TLS
	if state == nil {
		return nil
	}
	version := tls.VersionName(state.Version)
	switch state.Version {
	case tls.VersionTLS13:
		version = "TLSv1.3"
	case tls.VersionTLS12:
		version = "TLSv1.2"
	}
	return &keystore.TLS{Version: version, CipherSuite: x.suites[state.CipherSuite], Host: host(x.r.Host)}
}

// cipherSuites are the names of all that there are. tls.CipherSuiteName makes the
// whole list at each call.
func cipherSuites() map[uint16]string {
	names := make(map[uint16]string)
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, suite := range list {
			names[suite.ID] = suite.Name
		}
	}
	return names
}

// host is an address without its port, if it has one.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
