package keystore

import (
	"fmt"
	"testing"
)

func TestPrincipalOfACertificate(t *testing.T) {
	t.Parallel()
	const alice, bob = "arn:aws:iam::000000000000:user/alice", "arn:aws:iam::000000000000:user/bob"
	names := newCertificateNames(map[string]string{
		"spiffe://corp/alice": alice,
		"urn:corp:alice":      alice,
		"bob.corp":            bob,
		"dns:bob.corp":        bob,
	})
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
			if got := names.principalOf(test.uris, test.dns); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestNamesThatNoCertificateCouldHave(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"spiffe://corp/alice": "",
		"urn:corp:alice":      "",
		"alice.corp.example":  "",
		"*.corp.example":      "",
		"localhost":           "",
		"Alice.corp":          `"Alice.corp" is neither a URI nor a DNS name in lower case`,
		"alice corp":          `"alice corp" is neither a URI nor a DNS name in lower case`,
		"://alice":            `"://alice" is not a URI: missing protocol scheme`,
		"SPIFFE://corp/alice": `"SPIFFE://corp/alice" is not a URI as certificates have it, such as "spiffe://corp/alice"`,
		"spiffe://corp/a#":    `"spiffe://corp/a#" is not a URI as certificates have it, such as "spiffe://corp/a"`,
	} {
		got := ""
		if err := CheckCertificateName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// BenchmarkPrincipalOf looks up the last of the names of a certificate among those
// of 1,000 principals, as each request does.
func BenchmarkPrincipalOf(b *testing.B) {
	arns := map[string]string{}
	for i := range 1000 {
		arns[fmt.Sprintf("spiffe://corp/user-%d", i)] = fmt.Sprintf("arn:aws:iam::000000000000:user/user-%d", i)
	}
	d := &directory{}
	d.names.Store(newCertificateNames(arns))
	uris := []string{"spiffe://other/user", "spiffe://corp/user-500"}
	b.ReportAllocs()
	for b.Loop() {
		if d.principalOf(uris, nil) == "" {
			b.Fatal("nobody")
		}
	}
}
