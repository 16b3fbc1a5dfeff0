package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Member is one of several HSMs of a server: a worker with an environment, and perhaps
// a library, of its own, on the same token.
type Member struct {
	// HSMID names it in the trails.
	HSMID string
	// Library replaces that of the site.
	Library string
	// Env is added to the environment of its worker.
	Env map[string]string
}

// Members are n members with the names hsm-aaaaaaaaaaa, hsm-bbbbbbbbbbb and so on. So
// that they differ, each has its name in the environment too.
func Members(n int) []Member {
	all := make([]Member, n)
	for i := range all {
		id := "hsm-" + strings.Repeat(string(rune('a'+i)), 11)
		all[i] = Member{HSMID: id, Env: map[string]string{"STRONGROOM_IT_MEMBER": id}}
	}
	return all
}

// writeMembers writes the configuration's list, of a token in whose environment the
// members are.
func writeMembers(b *strings.Builder, indent string, all []Member, env map[string]string) {
	if len(all) == 0 {
		return
	}
	b.WriteString(indent + "members:\n")
	for _, m := range all {
		fmt.Fprintf(b, "%s  - hsm_id: %s\n", indent, m.HSMID)
		if m.Library != "" {
			fmt.Fprintf(b, "%s    library: %q\n", indent, m.Library)
		}
		own := maps.Clone(env)
		maps.Copy(own, m.Env)
		writeEnv(b, indent+"    ", own)
	}
}

// writeEnv writes the environment of a worker.
func writeEnv(b *strings.Builder, indent string, env map[string]string) {
	b.WriteString(indent + "env:\n")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(b, "%s  %s: %q\n", indent, name, env[name])
	}
}
