package keystore

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// dnsName is a DNS name in lower case, with a wildcard or without.
var dnsName = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// certificateNames says which principal a certificate stands for. A name of one
// type never matches a name of the other. They never change.
type certificateNames struct {
	byURI, byDNS map[string]string
}

// newCertificateNames takes ARNs by subject alternative names: one with a colon is
// a URI ("spiffe://corp/alice"), one without a DNS name ("alice.corp.example").
func newCertificateNames(arns map[string]string) *certificateNames {
	c := &certificateNames{byURI: map[string]string{}, byDNS: map[string]string{}}
	for name, arn := range arns {
		if strings.Contains(name, ":") {
			c.byURI[name] = arn
		} else {
			c.byDNS[name] = arn
		}
	}
	return c
}

// principalOf returns the ARN that a certificate with these names stands for, or
// "". Where several of the names are known the first one counts, URIs before DNS
// names.
func (c *certificateNames) principalOf(uris, dns []string) string {
	for _, uri := range uris {
		if arn, ok := c.byURI[uri]; ok {
			return arn
		}
	}
	for _, name := range dns {
		if arn, ok := c.byDNS[name]; ok {
			return arn
		}
	}
	return ""
}

// CheckCertificateName refuses a name that no certificate could have: one that is
// neither a URI, as Go's net/url writes it, nor a DNS name in lower case.
func CheckCertificateName(name string) error {
	if !strings.Contains(name, ":") {
		if len(name) > 253 || !dnsName.MatchString(name) {
			return fmt.Errorf("%q is neither a URI nor a DNS name in lower case", name)
		}
		return nil
	}
	u, err := url.Parse(name)
	if err != nil {
		return fmt.Errorf("%q is not a URI: %w", name, errors.Unwrap(err))
	}
	if u.Scheme == "" || u.String() != name {
		return fmt.Errorf("%q is not a URI as certificates have it, such as %q", name, u.String())
	}
	return nil
}
