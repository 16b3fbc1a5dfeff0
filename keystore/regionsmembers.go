package keystore

import (
	"fmt"
	"maps"
	"slices"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// Member is an HSM that is in use, and what for.
type Member struct {
	hsmpool.Status
	// Store is the id of the custom key store whose keys it has; empty: it has those of the
	// default one.
	Store string
	// Region is that of the custom key store. The default one is of all Regions; its HSMs
	// are said to be in the default Region.
	Region string
}

// Members returns the state of every HSM of the default key store, first, and of all custom
// key stores that are connected, in the order of Regions and stores. It answers at once, and
// asks no HSM.
func (r *Regions) Members() []Member {
	all := hsmsOf(r.Default().hsm, r.Default().scope.region, "")
	for _, k := range r.stores {
		connected := k.connections.Connected()
		for _, id := range slices.Sorted(maps.Keys(connected)) {
			all = append(all, hsmsOf(connected[id], k.scope.region, id)...)
		}
	}
	return all
}

func hsmsOf(hsm HSM, region, store string) (all []Member) {
	for _, s := range hsm.Describe() {
		all = append(all, Member{Status: s, Store: store, Region: region})
	}
	return all
}

// Principals returns how many principals there are, of the configuration and stored ones.
func (r *Regions) Principals() int { return len(r.directory.accessKeys.Load().principals) }

// Withdraw takes an HSM that is in use out of service, for a reason that operators are told.
// An error says that there is none of that id.
func (r *Regions) Withdraw(hsmID, reason string) error {
	return r.ofMember(hsmID, func(h HSM) error { return h.Withdraw(hsmID, reason) })
}

// Restore takes an HSM into service again, which it may be already. An error says that there is
// none of that id in use.
func (r *Regions) Restore(hsmID string) error {
	return r.ofMember(hsmID, func(h HSM) error { return h.Restore(hsmID) })
}

// ofMember does something with the HSMs among which the one of that id is.
func (r *Regions) ofMember(hsmID string, do func(HSM) error) error {
	for _, hsm := range r.hsms() {
		if slices.ContainsFunc(hsm.Describe(), func(s hsmpool.Status) bool { return s.HSMID == hsmID }) {
			return do(hsm)
		}
	}
	return fmt.Errorf("no HSM %q is in use", hsmID)
}
