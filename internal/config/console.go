package config

import (
	"net"
	"net/url"
	"strings"
)

// Metrics is an endpoint for Prometheus, and of the console.
type Metrics struct {
	// Listen is its address, "host:port"; anybody who reaches it can read the metrics,
	// which hold no secrets, at /metrics. Default: none.
	Listen string `yaml:"listen"`
	// TLS serves it by HTTPS with the server's certificate, tls.cert. Default false: plain
	// HTTP.
	TLS bool `yaml:"tls"`
}

// Console is a web console for operators.
type Console struct {
	// Enabled serves it at metrics.listen, which is a loopback address or has TLS.
	Enabled bool `yaml:"enabled"`
	// URL is its address as browsers have it, such as "https://kms.example:7402": links to it
	// begin so, and it answers to no other host name. Default: made of metrics.listen, which
	// then names a host and not all addresses.
	URL string `yaml:"url"`
}

func (v *validation) metrics(m Metrics) {
	if m != (Metrics{}) || v.config.lines.given("metrics") {
		v.listen("metrics.listen", m.Listen)
	}
}

// console checks the web console. Its sessions would be for all to see without TLS.
func (v *validation) console(c Console, m Metrics) {
	if !c.Enabled {
		return
	}
	host, _, err := net.SplitHostPort(m.Listen)
	if err != nil {
		v.fault("console.enabled", "needs metrics.listen, where the console is")
		return
	}
	if !m.TLS && !isLoopback(host) {
		v.fault("console.enabled", "needs metrics.tls, because metrics.listen, %q, is no loopback address", m.Listen)
	}
	ip := net.ParseIP(host)
	everywhere := host == "" || ip != nil && ip.IsUnspecified()
	if c.URL == "" && everywhere {
		v.fault("console.url", "is missing: metrics.listen, %q, does not say how browsers name this host", m.Listen)
	}
	v.consoleURL(c.URL, m.TLS)
}

func (v *validation) consoleURL(text string, tls bool) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		v.fault("console.url", `%q is not a URL such as "https://host:port"`, text)
		return
	}
	if u.Scheme != "https" && (tls || u.Scheme != "http") {
		v.fault("console.url", "%q has to begin with https://", text)
	}
}
