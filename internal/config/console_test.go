package config_test

import (
	"strings"
	"testing"
)

func TestConsole(t *testing.T) {
	for name, test := range map[string]struct {
		sections string
		want     string // of the fault; empty: there is none
	}{
		"none":                          {"console: {}", ""},
		"on a loopback address":         {"metrics: {listen: '127.0.0.1:7402'}\nconsole: {enabled: true}", ""},
		"with TLS":                      {"metrics: {listen: '192.0.2.1:7402', tls: true}\nconsole: {enabled: true}", ""},
		"on all addresses":              {"metrics: {listen: ':7402', tls: true}\nconsole: {enabled: true, url: 'https://kms.example:7402'}", ""},
		"behind a proxy of this host":   {"metrics: {listen: '127.0.0.1:7402'}\nconsole: {enabled: true, url: 'https://kms.example'}", ""},
		"TLS without an address":        {"metrics: {tls: true}", `metrics.listen: is missing`},
		"nowhere":                       {"console: {enabled: true}", `console.enabled: needs metrics.listen`},
		"for all to see":                {"metrics: {listen: '192.0.2.1:7402'}\nconsole: {enabled: true}", `console.enabled: needs metrics.tls`},
		"of all addresses, named none":  {"metrics: {listen: '0.0.0.0:7402', tls: true}\nconsole: {enabled: true}", `console.url: is missing`},
		"a URL with a path":             {"metrics: {listen: '127.0.0.1:7402'}\nconsole: {enabled: true, url: 'http://localhost:7402/console'}", `console.url: "http://localhost:7402/console" is not a URL`},
		"a URL without a scheme":        {"metrics: {listen: '127.0.0.1:7402'}\nconsole: {enabled: true, url: 'localhost:7402'}", `console.url: "localhost:7402" is not a URL`},
		"a URL without TLS, but it has": {"metrics: {listen: '127.0.0.1:7402', tls: true}\nconsole: {enabled: true, url: 'http://localhost:7402'}", `console.url: "http://localhost:7402" has to begin with https://`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, minimal+test.sections+"\n")
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
