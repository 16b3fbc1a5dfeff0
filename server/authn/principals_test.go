package authn

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"
)

const (
	alice = "arn:aws:iam::000000000000:user/alice"
	bob   = "arn:aws:iam::000000000000:user/bob"
)

func TestPrincipalOfACertificate(t *testing.T) {
	principals, err := NewPrincipals(map[string]string{
		"spiffe://corp/alice": alice,
		"urn:corp:alice":      alice,
		"bob.corp":            bob,
		"dns:bob.corp":        bob,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		uris, dns []string
		want      string
	}{
		"no name":                     {nil, nil, ""},
		"URI":                         {[]string{"spiffe://corp/alice"}, nil, alice},
		"URI without authority":       {[]string{"urn:corp:alice"}, nil, alice},
		"DNS name":                    {nil, []string{"bob.corp"}, bob},
		"URI before DNS name":         {[]string{"spiffe://corp/alice"}, []string{"bob.corp"}, alice},
		"second URI":                  {[]string{"spiffe://corp/x", "spiffe://corp/alice"}, nil, alice},
		"unknown URI, known DNS name": {[]string{"spiffe://corp/x"}, []string{"x.corp", "bob.corp"}, bob},
		"longer URI":                  {[]string{"spiffe://corp/alice/x"}, nil, ""},
		"another case":                {[]string{"spiffe://corp/Alice"}, []string{"BOB.corp"}, ""},
		"wildcard":                    {nil, []string{"*.corp"}, ""},
		"DNS name spelt as a URI":     {nil, []string{"spiffe://corp/alice"}, ""},
		"DNS name spelt with a colon": {nil, []string{"dns:bob.corp"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cert := &x509.Certificate{DNSNames: test.dns}
			for _, uri := range test.uris {
				u, err := url.Parse(uri)
				if err != nil {
					t.Fatal(err)
				}
				cert.URIs = append(cert.URIs, u)
			}
			if got := principals.Of(cert); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPrincipalsNameEveryMistake(t *testing.T) {
	_, err := NewPrincipals(map[string]string{"": alice, "a.corp": "alice", "b.corp": bob})
	for _, want := range []string{alice, `"a.corp"`, `"alice"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
}
