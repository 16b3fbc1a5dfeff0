package daemon

import "github.com/strongroom-kms/strongroom/server/awsapi/sigv4"

// accessKeys are those of the configuration and those that principals were given.
type accessKeys struct{ d *daemon }

// AccessKey is part of sigv4.Credentials.
func (a accessKeys) AccessKey(id string) (sigv4.Credential, bool) {
	k, ok := a.d.options.AccessKeys[id]
	if !ok {
		return sigv4.Credential{}, false
	}
	return sigv4.Credential{Secret: k.Secret, SessionToken: k.SessionToken, Principal: k.Principal}, true
}
