package sigv4_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

var errAway = errors.New("the HSM is away")

// awayKeys are access keys that cannot be had now.
type awayKeys struct{}

func (awayKeys) AccessKey(context.Context, string) (sigv4.Credential, error) {
	return sigv4.Credential{}, errAway
}

// A key that cannot be had is not one that is unknown: its client may try again.
func TestAnAccessKeyThatCannotBeHadIsNotUnknown(t *testing.T) {
	_, err := newVerifier(awayKeys{}, signedAt).Verify(signedRequest(t), []byte(decrypt))
	var refusal *sigv4.Error
	if !errors.Is(err, errAway) || errors.As(err, &refusal) {
		t.Errorf("got %v, want %v", err, errAway)
	}
	if strings.Contains(err.Error(), accessKey) {
		t.Errorf("%v repeats what may be a secret in the place of a key id", err)
	}
}
