package policy

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Grant lets one principal do some operations with one key.
type Grant struct {
	// ID names the grant; Token is what CreateGrant answered with it; Name is the
	// caller's own, or "".
	ID, Token, Name string
	// Grantee may do the operations; Retiring, if not "", may retire the grant.
	// Both are principal ARNs. IssuingAccount is the account that made it.
	Grantee, Retiring, IssuingAccount string
	// Operations are those of AWS KMS's GrantOperation, e.g. "Encrypt".
	Operations []string
	// Equals, if not empty, is the encryption context that a request has to have.
	// Subset, if not empty, has pairs that must be part of it. They do not count
	// for operations without an encryption context.
	Equals, Subset map[string]string
	// Created is when the grant was made.
	Created time.Time
}

// clone copies a grant, so that nobody else can change it.
func (g Grant) clone() *Grant {
	g.Operations = slices.Clone(g.Operations)
	g.Equals, g.Subset = maps.Clone(g.Equals), maps.Clone(g.Subset)
	return &g
}

// takesContext says whether an operation has an encryption context, which the
// constraints of a grant are about.
func takesContext(operation string) bool {
	switch operation {
	case "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
		"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo":
		return true
	default:
		return false
	}
}

// Grants is an index of one key's grants, in which a request finds one that allows
// it by its own encryption context, however many there are. It is safe for
// concurrent use.
type Grants struct {
	mu      sync.RWMutex
	byID    map[string]*Grant
	indexes map[grantKey]*grantIndex
}

// grantKey is a grantee and an operation.
type grantKey struct {
	grantee   principalKey
	operation string
}

// NewGrants returns an empty index.
func NewGrants() *Grants {
	return &Grants{byID: make(map[string]*Grant), indexes: make(map[grantKey]*grantIndex)}
}

// Put adds a copy of a grant, or replaces the one of the same ID. It is effective
// when Put returns.
func (g *Grants) Put(grant Grant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(grant.ID)
	added := grant.clone()
	g.byID[grant.ID] = added
	for _, k := range added.keys() {
		if g.indexes[k] == nil {
			g.indexes[k] = newGrantIndex(takesContext(k.operation))
		}
		g.indexes[k].add(added)
	}
}

// Remove removes a grant and says whether there was one. It has no effect any more
// when Remove returns.
func (g *Grants) Remove(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.remove(id)
}

func (g *Grants) remove(id string) bool {
	grant, ok := g.byID[id]
	if !ok {
		return false
	}
	delete(g.byID, id)
	for _, k := range grant.keys() {
		if g.indexes[k].remove(grant); g.indexes[k].empty() {
			delete(g.indexes, k)
		}
	}
	return true
}

// keys returns where a grant is indexed: for each operation, under its grantee and,
// if that is a role, under the role's sessions. Operations with an encryption context
// are left out if no context can be equal to Equals and have the pairs of Subset.
func (g *Grant) keys() []grantKey {
	grantees := []principalKey{byARN(g.Grantee)}
	if sessions, ok := sessionsOf(g.Grantee); ok {
		grantees = append(grantees, sessions)
	}
	var keys []grantKey
	for i, operation := range g.Operations {
		twice := slices.Contains(g.Operations[:i], operation)
		if twice || (takesContext(operation) && !g.canBeMet()) {
			continue
		}
		for _, grantee := range grantees {
			keys = append(keys, grantKey{grantee, operation})
		}
	}
	return keys
}

// canBeMet says whether some encryption context meets both constraints.
func (g *Grant) canBeMet() bool {
	return len(g.Equals) == 0 || isSubset(g.Subset, g.Equals)
}

// Get returns a grant. Its maps and lists stay those of the index.
func (g *Grants) Get(id string) (Grant, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	grant, ok := g.byID[id]
	if !ok {
		return Grant{}, false
	}
	return *grant, true
}

// Len is the number of grants.
func (g *Grants) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.byID)
}

// Grant finds a grant that allows the principal, or the role whose session it is,
// an operation such as "Encrypt", of which the one that was put first is preferred
// among those of the same constraints. Since grants are effective at once, the
// grants of tokens count as all do.
func (g *Grants) Grant(principal, operation string, encryptionContext map[string]string, _ []string) (id string, ok bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if grant := g.indexes[grantKey{byARN(principal), operation}].find(encryptionContext); grant != nil {
		return grant.ID, true
	}
	c, ok := newCaller(principal)
	if !ok || c.role == "" {
		return "", false
	}
	if grant := g.indexes[grantKey{principalKey{c.account, c.role}, operation}].find(encryptionContext); grant != nil {
		return grant.ID, true
	}
	return "", false
}
