package keystore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/proto/describe"
)

// The codes of the AWS KMS API Reference, CustomKeyStoresListEntry. Only what tokens can
// tell apart is told apart.
func TestConnectionErrorCodes(t *testing.T) {
	t.Parallel()
	login := func(rv ckr.RV) error {
		return &hsmpool.Error{Class: hsmpool.Operator, Function: "C_Login", RV: uint32(rv)}
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"wrong password":              {login(ckr.PINIncorrect), "INVALID_CREDENTIALS"},
		"a password that has expired": {login(ckr.PINExpired), "INVALID_CREDENTIALS"},
		"locked user":                 {login(ckr.PINLocked), "USER_LOCKED_OUT"},
		"locked, by the token's flags": {&hsmpool.Error{Class: hsmpool.Operator, RV: uint32(ckr.PINLocked)},
			"USER_LOCKED_OUT"},
		"no such user":             {login(ckr.UserPINNotInitialized), "USER_NOT_FOUND"},
		"user logged in elsewhere": {login(ckr.UserAlreadyLoggedIn), "USER_LOGGED_IN"},
		"no such token":            {fmt.Errorf("connecting: %w", &hsmpool.Error{Class: hsmpool.Unavailable, RV: uint32(ckr.TokenNotPresent)}), "CLUSTER_NOT_FOUND"},
		"no such cluster":          {fmt.Errorf("cluster x: %w", errNoCluster), "CLUSTER_NOT_FOUND"},
		"an HSM that does not answer": {&hsmpool.Error{Class: hsmpool.Unavailable, Err: errors.New("the worker was lost")},
			"NETWORK_ERRORS"},
		"too few HSMs":                          {fmt.Errorf("%w: %w", errTooFewHSMs, &hsmpool.Error{Class: hsmpool.Unavailable}), "INSUFFICIENT_CLOUDHSM_HSMS"},
		"too few HSMs: one has no token":        {fmt.Errorf("%w: %w", errTooFewHSMs, &hsmpool.Error{Class: hsmpool.Unavailable, RV: uint32(ckr.TokenNotPresent)}), "INSUFFICIENT_CLOUDHSM_HSMS"},
		"too few HSMs: one has locked the user": {fmt.Errorf("%w: %w", errTooFewHSMs, login(ckr.PINLocked)), "USER_LOCKED_OUT"},
		"the default HSM is away":               {fmt.Errorf("decrypting the password: %w", errHSMAway), "INTERNAL_ERROR"},
		"a connection that takes too long":      {&hsmpool.Error{Class: hsmpool.Timeout}, "NETWORK_ERRORS"},
		"a fault of the library":                {&hsmpool.Error{Class: hsmpool.Internal, RV: uint32(ckr.GeneralError)}, "INTERNAL_ERROR"},
		"a fault of ours":                       {errors.New("the sealed password has 3 bytes"), "INTERNAL_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := describe.WireName(connectionErrorCode(test.err)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
