package awsapi

import (
	"crypto/tls"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// tls describes the request's connection.
func (x *exchange) tls() *keystore.TLS {
	state := x.r.TLS
	if state == nil {
		return nil
	}
	return &keystore.TLS{
		Version:     authn.VersionName(state.Version),
		CipherSuite: x.suites[state.CipherSuite],
		Host:        authn.Host(x.r.Host),
	}
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
