package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// membered is the file with clusters, the last of which, and the default HSM, have
// members.
const membered = clustered + `    availability: 1
    members:
      - hsm_id: hsm-ccccccccccc
        env: {HOME: /one}
      - hsm_id: hsm-ddddddddddd
        library: /other.so
        token: {label: other}
`

// edited replaces the last occurrence of a part of membered, whose cluster with
// members has no name of its HSM.
func edited(t *testing.T, before, after string) (*config.Config, error) {
	t.Helper()
	text := strings.Replace(membered, "    hsm_id: hsm-bbbbbbbbbbb\n", "", 1)
	at := strings.LastIndex(text, before)
	if at < 0 {
		t.Fatalf("the file has no %q to replace", before)
	}
	return load(t, text[:at]+after+text[at+len(before):])
}

func TestMembers(t *testing.T) {
	c, err := edited(t, "availability: 1", "availability: 2")
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Member{
		{HSMID: "hsm-ccccccccccc", Env: map[string]string{"HOME": "/one"}},
		{HSMID: "hsm-ddddddddddd", Library: "/other.so", Token: config.Token{Label: "other"}},
	}
	if diff := cmp.Diff(want, c.Clusters[1].Members); diff != "" || c.Clusters[1].Availability != 2 {
		t.Errorf("availability %d, (-want +got):\n%s", c.Clusters[1].Availability, diff)
	}
}

func TestFaultsOfMembers(t *testing.T) {
	const second = "hsm-ddddddddddd\n        library: /other.so\n        token: {label: other}"
	tests := []struct {
		name, old, new string
		want           string // after the path of the file
	}{
		{"no name", "hsm_id: hsm-ddddddddddd", `hsm_id: ""`, `:37: clusters[1].members[1].hsm_id: is missing`},
		{"bad name", "hsm-ddddddddddd", "member-1", `:37: clusters[1].members[1].hsm_id: "member-1" is not "hsm-" and 11 to 16 of a-z and 2-7`},
		{"name twice", "hsm-ddddddddddd", "hsm-ccccccccccc", `:37: clusters[1].members[1].hsm_id: "hsm-ccccccccccc" stands at clusters[1].members[0].hsm_id already`},
		{"name of the default HSM", "hsm-ddddddddddd", "hsm-default2345", `:37: clusters[1].members[1].hsm_id: "hsm-default2345" stands at hsm.hsm_id already`},
		{"a name for all", "    availability: 1", "    hsm_id: hsm-bbbbbbbbbbb", `:33: clusters[1].hsm_id: stands beside members, which have names of their own`},
		{"the same token", second, "hsm-ddddddddddd\n        env: {HOME: /one}", `:37: clusters[1].members[1].token: is the token of clusters[1].members[0] already, with the same library and environment`},
		{"the default token", second, "hsm-ddddddddddd\n        token: {label: t}", `:38: clusters[1].members[1].token: is the token of hsm already, with the same library and environment`},
		{"relative library", "/other.so", "other.so", `:38: clusters[1].members[1].library: "other.so" is not an absolute path`},
		{"no token", "{label: other}", "{}", `:39: clusters[1].members[1].token: needs exactly one of label, serial, has 0`},
		{"two selectors", "{label: other}", `{label: other, serial: "1"}`, `:39: clusters[1].members[1].token: needs exactly one of label, serial, has 2`},
		{"environment", "HOME", "H-OME", `:36: clusters[1].members[0].env.H-OME: is not the name of an environment variable`},
		{"a pin", "library: /other.so", "pin: {file: /pin}", `:38: unknown key "pin"`},
		{"availability of none", "availability: 1", "availability: 0", `:33: clusters[1].availability: 0 is not between 1 and 2`},
		{"availability of more", "availability: 1", "availability: 3", `:33: clusters[1].availability: 3 is not between 1 and 2`},
		{"more active than there are", "min_active_hsms: 1", "min_active_hsms: 3", `:31: clusters[1].min_active_hsms: 3 is not between 1 and 2`},
		{"no member", membered[strings.LastIndex(membered, "    members:"):], "    members: []\n", `:34: clusters[1].members: has no member`},
		{"too many", "      - hsm_id: hsm-ccccccccccc\n        env: {HOME: /one}\n", manyMembers(28), `:34: clusters[1].members: has 29 members, more than 28`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := edited(t, tc.old, tc.new)
			var faults config.Errors
			if !errors.As(err, &faults) || len(faults) != 1 {
				t.Fatalf("got %v, want one fault", err)
			}
			if _, after, _ := strings.Cut(err.Error(), "c.yaml"); after != tc.want {
				t.Errorf("got\n%s\nwant\n%s", after, tc.want)
			}
		})
	}
}

func TestEdgesOfMembers(t *testing.T) {
	first := "      - hsm_id: hsm-ccccccccccc\n        env: {HOME: /one}\n"
	for name, edit := range map[string][2]string{
		"28 of them":                  {first, manyMembers(27)},
		"one of them, without name":   {membered[strings.LastIndex(membered, "    members:"):], "    members:\n      - env: {HOME: /one}\n"},
		"other environments alone":    {"library: /other.so\n        token: {label: other}", "env: {HOME: /two}"},
		"as many active as there are": {"min_active_hsms: 1", "min_active_hsms: 2"},
		"as the device is":            {"        library: /other.so\n        token: {label: other}\n", ""},
	} {
		if _, err := edited(t, edit[0], edit[1]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// manyMembers lists n members, each with its own environment.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "      - {hsm_id: hsm-eeeeeeeee%c%c, env: {N: \"%d\"}}\n", 'a'+i/26, 'a'+i%26, i)
	}
	return b.String()
}
