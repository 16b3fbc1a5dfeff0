package daemon

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/internal/config"
)

func TestPoolConfigSaysWhatTheConfigurationSays(t *testing.T) {
	full := config.Device{
		Library: "/lib.so", Token: config.Token{Label: "t"}, Profile: "cloudhsm", Env: map[string]string{"A": "1"},
		Sessions: 3, HangTimeout: time.Second, MaxInFlight: 7, Availability: 2,
		Members: []config.Member{
			{HSMID: "hsm-aaaaaaaaaaa", Env: map[string]string{"A": "2"}},
			{HSMID: "hsm-bbbbbbbbbbb", Library: "/other.so", Token: config.Token{Serial: "17"}},
		},
	}
	want := hsmpool.Config{
		Library: "/lib.so", Token: hsmpool.TokenSelector{Label: "t"}, Profile: "cloudhsm", Env: []string{"A=1"},
		Sessions: 3, HangTimeout: time.Second, MaxInFlight: 7, Availability: 2,
		Members: []hsmpool.Member{
			{HSMID: "hsm-aaaaaaaaaaa", Env: []string{"A=2"}},
			{HSMID: "hsm-bbbbbbbbbbb", Library: "/other.so", Token: hsmpool.TokenSelector{Serial: "17"}},
		},
	}
	if diff := cmp.Diff(want, poolConfig(full, 100)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	full.MaxInFlight = 0
	if got := poolConfig(full, 100).MaxInFlight; got != 100 {
		t.Errorf("max_in_flight is %d where the configuration does not say, want 100", got)
	}
}

// A cluster of two members has two HSMs, each with its own name.
func TestAClusterOfMembersConnects(t *testing.T) {
	s := newClusterSite(t)
	device := &s.config.Clusters[0].Device
	for _, name := range []string{"hsm-aaaaaaaaaaa", "hsm-bbbbbbbbbbb"} {
		env := maps.Clone(device.Env)
		env["MEMBER"] = name
		device.Members = append(device.Members, config.Member{HSMID: name, Env: env})
	}
	c := s.clusters()[0]
	if c.HSMs() != 2 || c.MinActive() != 1 {
		t.Errorf("%d HSMs, of which %d have to be active", c.HSMs(), c.MinActive())
	}
	hsm := connected(t, c)
	if err := hsm.Await(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, status := range hsm.Describe() {
		names = append(names, status.HSMID)
	}
	if want := []string{"hsm-aaaaaaaaaaa", "hsm-bbbbbbbbbbb"}; !slices.Equal(names, want) {
		t.Errorf("the HSMs are %v, want %v", names, want)
	}
}
