package authn

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Principals says which principal a certificate stands for. It is never
// changed once made, so that connections share it without a lock.
type Principals struct {
	byURI map[string]string
	byDNS map[string]string
}

// NewPrincipals makes Principals from subject alternative names and the ARNs
// that they stand for. A name with a colon is a URI ("spiffe://corp/alice"),
// one without is a DNS name ("alice.corp.example"); a name of one type never
// matches a name of the other. URIs are
// compared as Go's net/url writes them: an empty fragment is not seen, and the
// scheme is in lower case.
func NewPrincipals(arns map[string]string) (Principals, error) {
	p := Principals{byURI: map[string]string{}, byDNS: map[string]string{}}
	var errs []error
	for name, arn := range arns {
		switch {
		case name == "":
			errs = append(errs, fmt.Errorf("principal %q: the certificate name is empty", arn))
		case !strings.HasPrefix(arn, "arn:"):
			errs = append(errs, fmt.Errorf("certificate name %q: principal %q is not an ARN", name, arn))
		case strings.Contains(name, ":"):
			p.byURI[name] = arn
		default:
			p.byDNS[name] = arn
		}
	}
	return p, errors.Join(errs...)
}

// Of returns the ARN that the certificate stands for, or "". Where several of
// its names are known the first one counts, URIs before DNS names.
func (p Principals) Of(cert *x509.Certificate) string {
	for _, uri := range cert.URIs {
		if arn, ok := p.byURI[uri.String()]; ok {
			return arn
		}
	}
	for _, name := range cert.DNSNames {
		if arn, ok := p.byDNS[name]; ok {
			return arn
		}
	}
	return ""
}
