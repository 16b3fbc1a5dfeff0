package keystore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// configured is what the configuration says of principals and identity policies.
type configured struct {
	documents map[string]*policy.Document // by name, without the built-in ones
	texts     map[string]string           // of the documents
	attached  map[string][]string         // the names of policies by ARN
	names     map[string]string           // the ARN by the name in certificates
	keys      map[string]AccessKey        // by id
}

func newConfigured(c Config) (configured, error) {
	named := configured{documents: map[string]*policy.Document{}, texts: c.Policies, attached: c.Principals, names: c.CertificateNames, keys: c.AccessKeys}
	for name, text := range c.Policies {
		document, err := policy.ParseIdentityPolicy(name, text)
		if err != nil {
			return configured{}, fmt.Errorf("policy %q: %w", name, err)
		}
		named.documents[name] = document
	}
	for name, arn := range c.CertificateNames {
		if err := CheckCertificateName(name); err != nil {
			return configured{}, fmt.Errorf("principal %q: the certificate name %w", arn, err)
		}
		if _, known := c.Principals[arn]; !known {
			return configured{}, fmt.Errorf("certificate name %q: there is no principal %q", name, arn)
		}
	}
	return named, checkAccessKeys(c)
}

// hasPolicy says whether a policy is the configuration's, or built in.
func (c configured) hasPolicy(name string) bool {
	return c.documents[name] != nil || slices.Contains(policy.Builtins(), name)
}

// rights are what requests are judged by.
type rights struct {
	identities *policy.Identities
	names      *certificateNames
	// principals are what is in force of those that are stored.
	principals map[string]*storedPrincipal
	accessKeys *accessKeys
	// warnings say what is stored and not in force.
	warnings []string
}

// with joins what is configured with what is stored. Where both claim something,
// the configuration has it. It fails only if what is configured does not agree.
func (c configured) with(stored *directoryContents) (rights, error) {
	j := joiner{
		configured: c, documents: maps.Clone(c.documents), attached: maps.Clone(c.attached), names: maps.Clone(c.names),
		sessions: map[string]string{}, principals: map[string]*storedPrincipal{},
	}
	if j.attached == nil {
		j.attached = map[string][]string{}
	}
	if j.names == nil {
		j.names = map[string]string{}
	}
	for arn := range c.attached {
		j.sessions[sessionsOf(arn)] = arn
	}
	for _, name := range slices.Sorted(maps.Keys(stored.policies)) {
		j.addPolicy(name, stored.policies[name])
	}
	for _, arn := range slices.Sorted(maps.Keys(stored.principals)) {
		j.addPrincipal(arn, stored.principals[arn])
	}
	keys := j.accessKeys(stored)
	identities, err := policy.NewIdentities(j.documents, j.attached, nil)
	if err != nil {
		return rights{}, err
	}
	return rights{identities: identities, names: newCertificateNames(j.names), principals: j.principals, accessKeys: keys, warnings: j.warnings}, nil
}

// joiner adds what is stored to what is configured.
type joiner struct {
	configured configured
	documents  map[string]*policy.Document
	attached   map[string][]string
	names      map[string]string
	sessions   map[string]string // the ARN by what names its sessions
	principals map[string]*storedPrincipal
	warnings   []string
}

func (j *joiner) warn(format string, args ...any) {
	j.warnings = append(j.warnings, fmt.Sprintf(format, args...))
}

func (j *joiner) addPolicy(name string, p *storedPolicy) {
	if j.configured.hasPolicy(name) {
		j.warn("the stored policy %q is not in force: the configuration has one of this name, which its principals get", name)
		return
	}
	j.documents[name] = p.document
}

// addPrincipal adds a principal with those of its policies that there are. One
// without any is known all the same: key policies and grants can name it.
func (j *joiner) addPrincipal(arn string, p *storedPrincipal) {
	if other, taken := j.sessions[sessionsOf(arn)]; taken {
		j.warn("the stored principal %s is not in force: %s is there already", arn, other)
		return
	}
	j.sessions[sessionsOf(arn)] = arn
	known := &storagev1.PrincipalRecord{
		Arn: &arn, Policies: j.existing(arn, p.record.GetPolicies()), Created: p.record.Created, Updated: p.record.Updated,
	}
	j.principals[arn] = &storedPrincipal{record: known, revision: p.revision}
	if len(known.Policies) > 0 {
		j.attached[arn] = known.Policies
	}
	for _, name := range p.record.GetNames() {
		if other, taken := j.names[name]; taken && other != arn {
			j.warn("certificates with the name %s are not those of the stored principal %s: they are those of %s", name, arn, other)
			continue
		}
		j.names[name] = arn
		known.Names = append(known.Names, name)
	}
}

// accessKeys returns the access keys of the principals that there are.
func (j *joiner) accessKeys(stored *directoryContents) *accessKeys {
	all := &accessKeys{configured: j.configured.keys, stored: map[string]*storedAccessKey{}, principals: map[string]string{}}
	for _, arn := range j.sessions {
		all.principals[arn] = identityOf(j.principals[arn])
	}
	for _, a := range stored.accessKeysOf("") {
		if all.principals[a.record.GetPrincipal()] == "" {
			j.warn("the access key %s is not in force: its principal %s is not there", a.record.GetAccessKeyId(), a.record.GetPrincipal())
			continue
		}
		all.stored[a.record.GetAccessKeyId()] = a
	}
	return all
}

// existing returns those of the policies that there are, each once.
func (j *joiner) existing(arn string, names []string) (policies []string) {
	for _, name := range names {
		if j.documents[name] == nil && !j.configured.hasPolicy(name) {
			j.warn("the stored principal %s has the policy %q, which does not exist and grants nothing", arn, name)
			continue
		}
		if !slices.Contains(policies, name) {
			policies = append(policies, name)
		}
	}
	return policies
}

// sessionsOf is the same for two principals that cannot be there together: of a
// role it is the account and the name without the path, which is all that the ARN
// of a session tells of its role.
func sessionsOf(arn string) string {
	head, path, isRole := strings.Cut(arn, ":role/")
	if !isRole {
		return arn
	}
	return head[strings.LastIndexByte(head, ':')+1:] + ":role/" + path[strings.LastIndexByte(path, '/')+1:]
}
