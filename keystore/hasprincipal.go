package keystore

import (
	"slices"
	"strings"
	"time"
)

// PrincipalIdentity tells whether a principal is still the one that it was: it changes when
// the principal is removed and made again, and when other certificates stand for it; "" says
// that there is none. It answers at once, so that a front end can ask for each request of
// somebody who proved who it is some time ago.
func (r *Regions) PrincipalIdentity(arn string) string {
	return r.directory.accessKeys.Load().principals[arn]
}

// identityOf is the identity of a principal that is in force; nil: it is the
// configuration's, which does not change.
func identityOf(p *storedPrincipal) string {
	if p == nil {
		return "configured"
	}
	names := slices.Sorted(slices.Values(p.record.GetNames()))
	return p.record.GetCreated().AsTime().Format(time.RFC3339Nano) + "\n" + strings.Join(names, "\n")
}
