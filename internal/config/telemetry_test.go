package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// watchedMember gives the second member of membered a source.
func watchedMember(t *testing.T, telemetry string) (*config.Config, error) {
	t.Helper()
	const id = "hsm-ddddddddddd\n"
	return edited(t, id, id+"        telemetry: "+telemetry+"\n")
}

func TestTelemetry(t *testing.T) {
	for text, want := range map[string]config.Telemetry{
		"{file: /t.json}":                            {File: "/t.json"},
		"{command: [/bin/t, x]}":                     {Command: []string{"/bin/t", "x"}},
		`{url: "http://10.0.0.1:9100/hsm?module=1"}`: {URL: "http://10.0.0.1:9100/hsm?module=1"},
		"{file: /t.json, every: 5s, timeout: 5s, max_temperature: 1}": {
			File: "/t.json", Every: 5 * time.Second, Timeout: 5 * time.Second, MaxTemperature: 1,
		},
	} {
		c, err := watchedMember(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, c.Clusters[1].Members[1].Telemetry); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestFaultsOfTelemetry(t *testing.T) {
	const field = "clusters[1].members[1].telemetry"
	for text, want := range map[string]string{
		"{}":                                   field + ": needs exactly one of command, file, url, has 0",
		"{every: 5s}":                          field + ": needs exactly one of command, file, url, has 0",
		"{file: /t, command: [/c]}":            field + ": needs exactly one of command, file, url, has 2",
		"{file: t.json}":                       field + `.file: "t.json" is not an absolute path`,
		"{command: [telemetry]}":               field + `.command[0]: "telemetry" is not an absolute path`,
		`{url: "ftp://host/"}`:                 field + `.url: "ftp://host/" is not of the form "https://host[:port][/path]"`,
		`{url: "https://user:secret@host/"}`:   field + ".url: has a user; this file is no place for secrets",
		"{file: /t, every: 0s}":                field + ".every: 0s is not between 1s and 1h0m0s",
		"{file: /t, timeout: 2m}":              field + ".timeout: 2m0s is not between 100ms and 1m0s",
		"{file: /t, every: 10s, timeout: 11s}": field + ".timeout: 11s is not between 100ms and 10s",
		"{file: /t, max_temperature: 1.5}":     field + `.max_temperature: "1.5" is not a whole number`,
		"{file: /t, max_temperature: 0}":       field + ".max_temperature: 0 is not between 1 and 1000",
		"{file: /t, unit: F}":                  `unknown key "unit"`,
	} {
		_, err := watchedMember(t, text)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// A source, and a limit of keys, of HSMs that cannot have them.
func TestTelemetryOfDevices(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"beside members": {"    availability: 1\n", "    availability: 1\n    telemetry: {file: /t}\n", "clusters[1].telemetry: stands beside members, which have sources of their own"},
		"no keys":        {"    availability: 1\n", "    keys_limit: 0\n", "clusters[1].keys_limit: 0 is not between 1 and 10000000"},
		"no name": {membered[strings.LastIndex(membered, "    members:"):], "    members:\n      - telemetry: {file: /t}\n",
			"clusters[1].members[0].telemetry: needs a clusters[1].members[0].hsm_id"},
		"one HSM without a name": {membered[strings.LastIndex(membered, "    availability:"):], "    telemetry: {file: /t}\n", "clusters[1].telemetry: needs a clusters[1].hsm_id"},
	} {
		_, err := edited(t, tc.old, tc.new)
		var faults config.Errors
		if !errors.As(err, &faults) || len(faults) != 1 || !strings.HasSuffix(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	c, err := edited(t, membered[strings.LastIndex(membered, "    availability:"):], "    hsm_id: hsm-bbbbbbbbbbb\n    keys_limit: 3300\n    telemetry: {file: /t}\n")
	if err != nil || c.Clusters[1].Telemetry.File != "/t" || c.Clusters[1].KeysLimit != 3300 {
		t.Errorf("one HSM with a name: %v", err)
	}
}
