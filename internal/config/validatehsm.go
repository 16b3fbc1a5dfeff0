package config

import (
	"fmt"
	"regexp"
	"time"
)

var (
	envPattern        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	hsmPattern        = regexp.MustCompile(`^hsm-[2-7a-z]{11,16}$`)
	hsmClusterPattern = regexp.MustCompile(`^cluster-[2-7a-z]{11,16}$`)
	clusterPattern    = regexp.MustCompile(`^cluster-[2-7a-zA-Z]{11,16}$`)
)

// Limits of a cluster. AWS CloudHSM has at most 28 HSMs in one.
const (
	maxActiveHSMs        = 28
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
	v.unique(hsmIDs, "hsm.hsm_id", h.HSMID)
	v.uniqueToken(tokens, "hsm", &h.Device)
	for i := range clusters {
		c, field := &clusters[i], fmt.Sprintf("clusters[%d]", i)
		v.cluster(field, c)
		v.unique(ids, field+".id", c.ID)
		v.unique(hsmIDs, field+".hsm_id", c.HSMID)
		v.uniqueToken(tokens, field, &c.Device)
	}
}

func (v *validation) cluster(field string, c *Cluster) {
	v.matches(field+".id", c.ID, clusterPattern, `"cluster-" and 11 to 16 of a-z, A-Z and 2-7`)
	v.device(field, &c.Device)
	v.absolute(field+".trust_anchor", c.TrustAnchor)
	if c.MinActiveHSMs != 0 || v.config.lines.given(field+".min_active_hsms") {
		v.between(field+".min_active_hsms", c.MinActiveHSMs, 1, maxActiveHSMs)
	}
	v.between(field+".requests_per_second", c.RequestsPerSecond, 0, maxRequestsPerSecond)
}

// uniqueToken checks that no two devices are the same token. The same label means
// another token where the environment is another, as SOFTHSM2_CONF is.
func (v *validation) uniqueToken(seen map[string]string, field string, d *Device) {
	token := fmt.Sprintf("%q", []any{d.Library, d.Token.Label, d.Token.Serial, d.Env})
	first, ok := seen[token]
	if ok && d.Library != "" && d.Token != (Token{}) {
		v.fault(field+".token", "is the token of %s already, with the same library and environment", first)
	}
	seen[token] = field
}

// device checks what all tokens have in common.
func (v *validation) device(field string, d *Device) {
	v.absolute(field+".library", d.Library)
	v.exactlyOne(field+".token", map[string]bool{"label": d.Token.Label != "", "serial": d.Token.Serial != ""})
	v.atMost(field+".token.label", d.Token.Label, 32)
	v.atMost(field+".token.serial", d.Token.Serial, 16)
	v.oneOf(field+".profile", d.Profile, "softhsm", "cloudhsm", "pkcs11")
	for name := range d.Env {
		if !envPattern.MatchString(name) {
			v.fault(field+".env."+name, "is not the name of an environment variable")
		}
	}
	if d.Sessions != 0 || v.config.lines.given(field+".sessions") {
		v.between(field+".sessions", d.Sessions, 1, 256)
	}
	if d.HangTimeout != 0 || v.config.lines.given(field+".hang_timeout") {
		v.during(field+".hang_timeout", d.HangTimeout, 100*time.Millisecond, 10*time.Minute)
	}
	if d.MaxInFlight != 0 || v.config.lines.given(field+".max_in_flight") {
		v.between(field+".max_in_flight", d.MaxInFlight, 1, 65536)
	}
	v.optional(field+".hsm_id", d.HSMID, hsmPattern, `"hsm-" and 11 to 16 of a-z and 2-7`)
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
