package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
)

var (
	envPattern        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	hsmPattern        = regexp.MustCompile(`^hsm-[2-7a-z]{11,16}$`)
	hsmClusterPattern = regexp.MustCompile(`^cluster-[2-7a-z]{11,16}$`)
	clusterPattern    = regexp.MustCompile(`^cluster-[2-7a-zA-Z]{11,16}$`)
)

// hsmForm is hsmPattern in words.
const hsmForm = `"hsm-" and 11 to 16 of a-z and 2-7`

// Limits of a cluster. AWS CloudHSM has at most 28 HSMs in one.
const (
	maxMembers           = 28
	maxRequestsPerSecond = 1_000_000
)

// hsms checks the default HSM and the clusters, no two of which may share a name or a
// token.
func (v *validation) hsms(h *HSM, clusters []Cluster) {
	v.device("hsm", &h.Device)
	v.pin(&h.PIN)
	v.optional("hsm.cluster_id", h.ClusterID, hsmClusterPattern, `"cluster-" and 11 to 16 of a-z and 2-7`)
	ids, hsmIDs, tokens := map[string]string{}, map[string]string{}, map[string]string{}
	v.unique(ids, "hsm.cluster_id", h.ClusterID)
	v.uniqueHSMs(hsmIDs, tokens, "hsm", &h.Device)
	for i := range clusters {
		c, field := &clusters[i], fmt.Sprintf("clusters[%d]", i)
		v.cluster(field, c)
		v.unique(ids, field+".id", c.ID)
		v.uniqueHSMs(hsmIDs, tokens, field, &c.Device)
	}
}

func (v *validation) cluster(field string, c *Cluster) {
	v.matches(field+".id", c.ID, clusterPattern, `"cluster-" and 11 to 16 of a-z, A-Z and 2-7`)
	v.device(field, &c.Device)
	v.absolute(field+".trust_anchor", c.TrustAnchor)
	if c.MinActiveHSMs != 0 || v.config.lines.given(field+".min_active_hsms") {
		v.between(field+".min_active_hsms", c.MinActiveHSMs, 1, max(1, len(c.Members)))
	}
	v.between(field+".requests_per_second", c.RequestsPerSecond, 0, maxRequestsPerSecond)
}

// device checks what all tokens have in common.
func (v *validation) device(field string, d *Device) {
	v.absolute(field+".library", d.Library)
	v.token(field+".token", d.Token)
	v.oneOf(field+".profile", d.Profile, "softhsm", "cloudhsm", "pkcs11")
	v.env(field+".env", d.Env)
	if d.Sessions != 0 || v.config.lines.given(field+".sessions") {
		v.between(field+".sessions", d.Sessions, 1, 256)
	}
	if d.HangTimeout != 0 || v.config.lines.given(field+".hang_timeout") {
		v.during(field+".hang_timeout", d.HangTimeout, 100*time.Millisecond, 10*time.Minute)
	}
	if d.MaxInFlight != 0 || v.config.lines.given(field+".max_in_flight") {
		v.between(field+".max_in_flight", d.MaxInFlight, 1, 65536)
	}
	v.optional(field+".hsm_id", d.HSMID, hsmPattern, hsmForm)
	v.members(field, d)
	v.watched(field, d)
}

func (v *validation) env(field string, variables map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !envPattern.MatchString(name) {
			v.fault(field+"."+name, "is not the name of an environment variable")
		}
	}
}

func (v *validation) pin(p *PIN) {
	v.exactlyOne("hsm.pin", map[string]bool{"file": p.File != "", "env": p.Env != "", "command": len(p.Command) > 0})
	if p.File != "" {
		v.absolute("hsm.pin.file", p.File)
	}
	if p.Env != "" {
		v.optional("hsm.pin.env", p.Env, envPattern, "the name of an environment variable")
	}
	if len(p.Command) > 0 {
		v.absolute("hsm.pin.command[0]", p.Command[0])
	}
}
