package keystore

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	"github.com/strongroom-kms/strongroom/proto/describe"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// grant is a grant as of one revision of the metadata. It never changes.
type grant struct {
	key      uuid.UUID
	record   *storagev1.GrantRecord
	revision uint64
}

// keyGrants are the grants of one key: by their ids, and as policies ask for them.
type keyGrants struct {
	byID  index[string, *grant]
	index *policy.Grants
}

func (c *contents) putGrant(g *grant) {
	of := c.grants[g.key]
	if of == nil {
		of = &keyGrants{byID: newIndex[string, *grant](strings.Compare), index: policy.NewGrants()}
		c.grants[g.key] = of
	}
	of.byID.put(g.record.GetGrantId(), g)
	of.index.Put(g.policy())
}

func (c *contents) removeGrant(key uuid.UUID, id string) {
	of := c.grants[key]
	if of == nil {
		return
	}
	of.byID.remove(id)
	of.index.Remove(id)
	if len(of.byID.order) == 0 {
		delete(c.grants, key)
	}
}

// policy is the grant as policies know it.
func (g *grant) policy() policy.Grant {
	r := g.record
	p := policy.Grant{
		ID: r.GetGrantId(), Token: r.GetGrantToken(), Name: r.GetName(),
		Grantee: r.GetGranteePrincipal(), Retiring: r.GetRetiringPrincipal(), IssuingAccount: r.GetIssuingAccount(),
		Equals: r.GetEncryptionContextEquals(), Subset: r.GetEncryptionContextSubset(), Created: r.GetCreated().AsTime(),
	}
	for _, o := range r.GetOperations() {
		p.Operations = append(p.Operations, describe.WireName(o))
	}
	return p
}

// decodeGrant reads the event of a grant; at is its path behind the prefix of
// grants.
func (v *view) decodeGrant(e metadata.Event, at string) (func(*contents), error) {
	key, id, _ := strings.Cut(at, "/")
	of, err := uuid.Parse(key)
	if err != nil || id == "" {
		return nil, fmt.Errorf("%s: it is not the path of a grant", e.Entry.Key)
	}
	if e.Kind == metadata.Delete {
		return func(c *contents) { c.removeGrant(of, id) }, nil
	}
	r := new(storagev1.GrantRecord)
	if err := decodeValue(e.Entry.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Entry.Key, err)
	}
	if r.GetGrantId() != id || r.GetKeyId() != key {
		return nil, fmt.Errorf("%s: the record there is that of grant %s of key %s", e.Entry.Key, r.GetGrantId(), r.GetKeyId())
	}
	g := &grant{key: of, record: r, revision: e.Entry.Revision}
	return func(c *contents) { c.putGrant(g) }, nil
}

// allowsByGrant says which grant of a key, if any, allows an operation.
func (v *view) allowsByGrant(key uuid.UUID, principal, operation string, encryptionContext map[string]string, tokens []string) (id string, ok bool) {
	v.mu.RLock()
	of := v.grants[key]
	v.mu.RUnlock()
	if of == nil {
		return "", false
	}
	return of.index.Grant(principal, operation, encryptionContext, tokens)
}
