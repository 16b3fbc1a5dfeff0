package policy

import (
	"slices"
	"sync"
)

// Grants is an index of one key's grants, in which a request finds one that allows
// it by its own encryption context, however many there are. It is safe for
// concurrent use.
type Grants struct {
	mu       sync.RWMutex
	byID     map[string]*Grant
	grantees map[principalKey]*granteeIndex
	// sessions has the indexes of the grantees that are roles of that name.
	sessions map[principalKey][]*granteeIndex
}

// NewGrants returns an empty index.
func NewGrants() *Grants {
	return &Grants{
		byID:     make(map[string]*Grant),
		grantees: make(map[principalKey]*granteeIndex),
		sessions: make(map[principalKey][]*granteeIndex),
	}
}

// Put adds a copy of a grant, or replaces the one of the same ID. It is effective
// when Put returns.
func (g *Grants) Put(grant Grant) {
	added := grant.clone()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(grant.ID)
	g.byID[grant.ID] = added
	g.index(grant.Grantee).add(added)
}

// index returns a grantee's index, which is made if there is none.
func (g *Grants) index(grantee string) *granteeIndex {
	if x := g.grantees[byARN(grantee)]; x != nil {
		return x
	}
	x := new(granteeIndex)
	g.grantees[byARN(grantee)] = x
	if sessions, ok := sessionsOf(grantee); ok {
		g.sessions[sessions] = append(g.sessions[sessions], x)
	}
	return x
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
	x := g.grantees[byARN(grant.Grantee)]
	if x.remove(grant); x.size == 0 {
		g.removeIndex(grant.Grantee, x)
	}
	return true
}

func (g *Grants) removeIndex(grantee string, x *granteeIndex) {
	delete(g.grantees, byARN(grantee))
	sessions, ok := sessionsOf(grantee)
	if !ok {
		return
	}
	g.sessions[sessions] = slices.DeleteFunc(g.sessions[sessions], func(y *granteeIndex) bool { return x == y })
	if len(g.sessions[sessions]) == 0 {
		delete(g.sessions, sessions)
	}
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
// an operation such as "Encrypt". If there are several, it is one without
// constraints if there is any, and of those with the same constraints the one that
// was put first. Since grants are effective at once, the grants of tokens count as
// all do.
func (g *Grants) Grant(principal, operation string, encryptionContext map[string]string, _ []string) (id string, ok bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if grant := g.grantees[byARN(principal)].find(operation, encryptionContext); grant != nil {
		return grant.ID, true
	}
	c, ok := newCaller(principal)
	if !ok || c.role == "" {
		return "", false
	}
	for _, x := range g.sessions[principalKey{c.account, c.role}] {
		if grant := x.find(operation, encryptionContext); grant != nil {
			return grant.ID, true
		}
	}
	return "", false
}
