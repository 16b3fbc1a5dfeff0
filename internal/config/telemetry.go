package config

import (
	"net/url"
	"time"
)

// Telemetry is where the operator's own values of an HSM's metrics come from: a JSON object of
// CloudHSM's names and numbers, such as {"HsmTemperature": 41.5}, by exactly one of Command, URL
// and File. The HSM must have an hsm_id.
type Telemetry struct {
	// Command is a program, by absolute path, and its arguments; it prints the object.
	// Its environment is PATH, and the HSM's name in STRONGROOM_HSM_ID.
	Command []string `yaml:"command"`
	// URL answers the object to a GET: http or https, without a user.
	URL string `yaml:"url"`
	// File holds the object, an absolute path. It counts from when it was written.
	File string `yaml:"file"`
	// Every is how often the values are asked for, 1s to 1h. After three times that they
	// count no longer. Default (0 in Go, not in a file): 1m.
	Every time.Duration `yaml:"every"`
	// Timeout is how long an answer may take, 100ms to Every. Default (0 in Go, not in a
	// file): 10s, or Every if that is less.
	Timeout time.Duration `yaml:"timeout"`
	// MaxTemperature is the HsmTemperature, in °C, at which the HSM is taken out of service,
	// until it is 5 °C cooler; 1 to 1,000. Default (0 in Go, not in a file): 110.
	MaxTemperature int `yaml:"max_temperature"`
}

// Given reports whether there is a source.
func (t *Telemetry) Given() bool { return len(t.Command) > 0 || t.URL != "" || t.File != "" }

// The values of fields left zero that others depend on, and limits.
const (
	defaultTelemetryEvery = time.Minute
	maxTelemetryEvery     = time.Hour
	minTelemetryTimeout   = 100 * time.Millisecond
	maxMaxTemperature     = 1000
	maxKeysLimit          = 10_000_000
)

// telemetry checks the source of the HSM that has the id, and stands in the field. It is
// needed by id because nothing else names an HSM that is away.
func (v *validation) telemetry(field, hsmID string, t *Telemetry) {
	at, given := field+".telemetry", v.config.lines.given
	if !given(at) && !t.Given() {
		return
	}
	v.exactlyOne(at, map[string]bool{"command": len(t.Command) > 0, "url": t.URL != "", "file": t.File != ""})
	if hsmID == "" {
		v.fault(at, "needs a %s.hsm_id", field)
	}
	if len(t.Command) > 0 {
		v.absolute(at+".command[0]", t.Command[0])
	}
	v.optionalPath(at+".file", t.File)
	v.telemetryURL(at+".url", t.URL)
	every := defaultTelemetryEvery
	if t.Every != 0 || given(at+".every") {
		v.during(at+".every", t.Every, time.Second, maxTelemetryEvery)
		every = t.Every
	}
	if t.Timeout != 0 || given(at+".timeout") {
		v.during(at+".timeout", t.Timeout, minTelemetryTimeout, every)
	}
	if t.MaxTemperature != 0 || given(at+".max_temperature") {
		v.between(at+".max_temperature", t.MaxTemperature, 1, maxMaxTemperature)
	}
}

func (v *validation) telemetryURL(field, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		v.fault(field, "has a user; this file is no place for secrets")
		return
	}
	if err != nil || u.Hostname() == "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		v.fault(field, `%q is not of the form "https://host[:port][/path]"`, text)
	}
}

// watched checks what is said of watching a device: its source, if it is one HSM, and its
// limit of keys.
func (v *validation) watched(field string, d *Device) {
	if len(d.Members) > 0 && (d.Telemetry.Given() || v.config.lines.given(field+".telemetry")) {
		v.fault(field+".telemetry", "stands beside members, which have sources of their own")
	} else {
		v.telemetry(field, d.HSMID, &d.Telemetry)
	}
	for i := range d.Members {
		m := &d.Members[i]
		v.telemetry(memberField(field, i), m.HSMID, &m.Telemetry)
	}
	if d.KeysLimit != 0 || v.config.lines.given(field+".keys_limit") {
		v.between(field+".keys_limit", d.KeysLimit, 1, maxKeysLimit)
	}
}
