package config

import (
	"cmp"
	"fmt"
)

// members checks the HSMs of a device that lists them.
func (v *validation) members(field string, d *Device) {
	if len(d.Members) == 0 && v.config.lines.given(field+".members") {
		v.fault(field+".members", "has no member")
	}
	if n := len(d.Members); n > maxMembers {
		v.fault(field+".members", "has %d members, more than %d", n, maxMembers)
	}
	if len(d.Members) > 0 && d.HSMID != "" {
		v.fault(field+".hsm_id", "stands beside members, which have names of their own")
	}
	if d.Availability != 0 || v.config.lines.given(field+".availability") {
		v.between(field+".availability", d.Availability, 1, max(1, len(d.Members)))
	}
	for i := range d.Members {
		v.member(memberField(field, i), &d.Members[i], len(d.Members) > 1)
	}
}

func memberField(device string, i int) string { return fmt.Sprintf("%s.members[%d]", device, i) }

// member checks one HSM of a device; named says that it needs a name.
func (v *validation) member(field string, m *Member, named bool) {
	if named || m.HSMID != "" {
		v.matches(field+".hsm_id", m.HSMID, hsmPattern, hsmForm)
	}
	if m.Library != "" {
		v.absolute(field+".library", m.Library)
	}
	if m.Token != (Token{}) || v.config.lines.given(field+".token") {
		v.token(field+".token", m.Token)
	}
	v.env(field+".env", m.Env)
}

func (v *validation) token(field string, t Token) {
	v.exactlyOne(field, map[string]bool{"label": t.Label != "", "serial": t.Serial != ""})
	v.atMost(field+".label", t.Label, 32)
	v.atMost(field+".serial", t.Serial, 16)
}

// uniqueHSMs checks that no two HSMs have the same name or are the same token.
func (v *validation) uniqueHSMs(names, tokens map[string]string, field string, d *Device) {
	if len(d.Members) == 0 {
		v.unique(names, field+".hsm_id", d.HSMID)
		v.uniqueToken(tokens, field, &Member{Library: d.Library, Token: d.Token, Env: d.Env})
		return
	}
	for i := range d.Members {
		m, item := d.Members[i], memberField(field, i)
		v.unique(names, item+".hsm_id", m.HSMID)
		if len(m.Env) == 0 {
			m.Env = d.Env
		}
		m.Library, m.Token = cmp.Or(m.Library, d.Library), cmp.Or(m.Token, d.Token)
		v.uniqueToken(tokens, item, &m)
	}
}

// uniqueToken checks that no two HSMs are the same token. The same label means
// another token where the environment is another, as SOFTHSM2_CONF is.
func (v *validation) uniqueToken(seen map[string]string, field string, m *Member) {
	token := fmt.Sprintf("%q", []any{m.Library, m.Token.Label, m.Token.Serial, m.Env})
	first, ok := seen[token]
	if ok && m.Library != "" && m.Token != (Token{}) {
		v.fault(field+".token", "is the token of %s already, with the same library and environment", first)
	}
	seen[token] = field
}
