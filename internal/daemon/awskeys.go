package daemon

import (
	"context"
	"errors"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// accessKeys are those that the key store knows.
type accessKeys struct{ *keystore.Regions }

// AccessKey is part of sigv4.Credentials.
func (a accessKeys) AccessKey(ctx context.Context, id string) (sigv4.Credential, error) {
	k, err := a.Regions.AccessKey(ctx, id)
	if errors.Is(err, keystore.ErrUnknownAccessKey) {
		return sigv4.Credential{}, sigv4.ErrUnknown
	}
	return sigv4.Credential{Secret: k.Secret, SessionToken: k.SessionToken, Principal: k.Principal}, err
}
