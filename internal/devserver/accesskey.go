package devserver

import "github.com/strongroom-kms/strongroom/keystore"

// AccessKey is what AWS clients sign their requests with.
type AccessKey struct {
	ID, Secret string
	// SessionToken goes with a temporary access key; empty: it is none.
	SessionToken string
}

// accessKeys gives an access key to the first principal.
func (s *Site) accessKeys(k AccessKey) map[string]keystore.AccessKey {
	if k.ID == "" {
		return nil
	}
	return map[string]keystore.AccessKey{
		k.ID: {Secret: k.Secret, SessionToken: k.SessionToken, Principal: s.ARN(s.Principals[0])},
	}
}
