package daemon

import (
	"cmp"
	"maps"
	"slices"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/internal/config"
)

// The parts of the server's places for requests that may wait for the HSMs of the
// default key store, and for those of one cluster, unless the configuration says. One
// that hangs leaves the rest to others.
const (
	defaultShare = 2
	clusterShare = 4
)

// poolConfig is what the configuration says of HSMs, whoever they are for. inFlight is
// how many requests may wait for them if it does not say that.
func poolConfig(c config.Device, inFlight int) hsmpool.Config {
	return hsmpool.Config{
		Library:      c.Library,
		Token:        selector(c.Token),
		Profile:      c.Profile,
		Env:          Environment(c.Env),
		HSMID:        c.HSMID,
		Members:      members(c.Members),
		Availability: c.Availability,
		Sessions:     c.Sessions,
		HangTimeout:  c.HangTimeout,
		MaxInFlight:  cmp.Or(c.MaxInFlight, inFlight),
	}
}

func members(all []config.Member) []hsmpool.Member {
	var list []hsmpool.Member
	for _, m := range all {
		list = append(list, hsmpool.Member{HSMID: m.HSMID, Library: m.Library, Token: selector(m.Token), Env: Environment(m.Env)})
	}
	return list
}

func selector(t config.Token) hsmpool.TokenSelector {
	return hsmpool.TokenSelector{Label: t.Label, Serial: t.Serial}
}

// Environment is a worker's environment as "NAME=value", in the order of the names.
func Environment(variables map[string]string) []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		env = append(env, name+"="+variables[name])
	}
	return env
}
