package daemon

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// policies are the identity policies of the configuration, and who has them.
type policies struct {
	texts    map[string]string   // by name
	attached map[string][]string // the names by ARN
}

// readPolicies reads and checks the identity policies before anything is opened, as
// the key store does when the HSM has been logged in to.
func (d *daemon) readPolicies(context.Context) error {
	d.policies = policies{texts: map[string]string{}, attached: map[string][]string{}}
	documents := map[string]*policy.Document{}
	for _, name := range slices.Sorted(maps.Keys(d.config.Policies)) {
		text, document, err := ReadPolicy(name, d.config.Policies[name])
		if err != nil {
			return err
		}
		d.policies.texts[name], documents[name] = text, document
	}
	for _, p := range d.config.Principals {
		d.policies.attached[p.ARN] = p.Policies
	}
	if _, err := policy.NewIdentities(documents, d.policies.attached, nil); err != nil {
		return fmt.Errorf("giving the principals their policies: %w", err)
	}
	return nil
}

// ReadPolicy reads an identity policy from a file. The error names both.
func ReadPolicy(name, file string) (text string, document *policy.Document, err error) {
	read, err := os.ReadFile(file)
	if err != nil {
		return "", nil, fmt.Errorf("reading the policy %q: %w", name, err)
	}
	document, err = policy.ParseIdentityPolicy(name, string(read))
	if err != nil {
		return "", nil, fmt.Errorf("reading the policy %q: %s: %w", name, file, err)
	}
	return string(read), document, nil
}
