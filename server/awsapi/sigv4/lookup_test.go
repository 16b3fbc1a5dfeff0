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
	_, err := newVerifier(awayKeys{}, signedAt).Verify(signedRequest(t), "kms", reading([]byte(decrypt)))
	var refusal *sigv4.Error
	if !errors.Is(err, errAway) || errors.As(err, &refusal) {
		t.Errorf("got %v, want %v", err, errAway)
	}
	if strings.Contains(err.Error(), accessKey) {
		t.Errorf("%v repeats what may be a secret in the place of a key id", err)
	}
}

// A stranger's body is not read, and why one cannot be is returned as it is.
func TestTheBodyIsReadOnceTheAccessKeyIsKnown(t *testing.T) {
	cut := errors.New("the connection is gone")
	read := func() ([]byte, error) { return nil, cut }
	for name, test := range map[string]struct {
		keys *keys
		read bool
	}{
		"known":   {newKeys(), true},
		"unknown": {&keys{}, false},
	} {
		if _, err := newVerifier(test.keys, signedAt).Verify(signedRequest(t), "kms", read); err == nil || errors.Is(err, cut) != test.read {
			t.Errorf("%s: %v", name, err)
		}
	}
}
