package devserver

import (
	"fmt"
	"net/url"
	"regexp"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// Principal is a caller with a certificate of its own.
type Principal struct {
	// Name is the user's name, the end of its ARN, and the name of its files:
	// letters, digits and dashes, but not "ca" or "server".
	Name string
	// Policies are names of built-in policies. Without any, there is a
	// certificate for somebody whom the server does not know.
	Policies []string
}

// DefaultPrincipals are one for each built-in policy.
func DefaultPrincipals() []Principal {
	return []Principal{
		{Name: "admin", Policies: []string{"admin"}},
		{Name: "app", Policies: []string{"user"}},
		{Name: "auditor", Policies: []string{"auditor"}},
	}
}

// ARN is how policies and events name a principal.
func (s *Site) ARN(p Principal) string { return "arn:aws:iam::" + s.Account + ":user/" + p.Name }

// uri is the subject alternative name of the principal's certificate.
func (p Principal) uri() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: "strongroom.internal", Path: "/dev/" + p.Name}
}

func (s *Site) configOf(p Principal) config.Principal {
	return config.Principal{ARN: s.ARN(p), Names: []string{p.uri().String()}, Policies: p.Policies}
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// check refuses a name whose files would not be the principal's own.
func (p Principal) check() error {
	if !namePattern.MatchString(p.Name) || p.Name == "ca" || p.Name == "server" {
		return fmt.Errorf("%q cannot be the name of a principal", p.Name)
	}
	return nil
}
