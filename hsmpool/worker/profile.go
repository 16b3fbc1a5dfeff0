//go:build cgo

package worker

import (
	"bytes"
	"fmt"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// profile is what is known of a library's habits.
type profile struct {
	name string
	// ivRandom: the IV is drawn by C_GenerateRandom and given in. Otherwise zeros go
	// in, and the token writes its own.
	ivRandom bool
	// ivBits is ulIvBits of CK_GCM_PARAMS.
	ivBits uint
	// userInPIN: the PIN is "<user>:<password>".
	userInPIN bool
	// syncTokens: the library does not sync the files that hold its objects.
	syncTokens bool
	// changesAlone: objects must not be looked for while others are made or destroyed.
	changesAlone bool
	// noRecover: the library knows no CKA_SIGN_RECOVER, and no key can do that.
	noRecover bool
	// noAlwaysSensitive: the library does not tell CKA_ALWAYS_SENSITIVE of secrets.
	noAlwaysSensitive bool
	// keyWrap is AES key wrap with padding (RFC 5649).
	keyWrap mechanism
	// workerMemory: key material that is imported may pass through the worker's memory
	// where the token cannot unwrap it.
	workerMemory bool
}

func profileOf(name string) (profile, error) {
	wrap := mechanism{kind: ckmAESKeyWrapPad, name: "CKM_AES_KEY_WRAP_PAD"}
	switch name {
	case ckr.ProfileSoftHSM:
		return profile{
			name: name, ivRandom: true, ivBits: 8 * ivSize, syncTokens: true, changesAlone: true, workerMemory: true, keyWrap: wrap,
		}, nil
	case ckr.ProfileCloudHSM:
		wrap = mechanism{kind: ckmCloudHSMKeyWrapZeroPad, name: "CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD"}
		return profile{name: name, ivBits: 0, userInPIN: true, noRecover: true, noAlwaysSensitive: true, keyWrap: wrap}, nil
	case ckr.ProfilePKCS11:
		return profile{name: name, ivRandom: true, ivBits: 8 * ivSize, keyWrap: wrap}, nil
	}
	return profile{}, fmt.Errorf("unknown profile %q", name)
}

// userName returns the name under which a login is recorded.
func (p profile) userName(pin []byte) string {
	if user, _, ok := bytes.Cut(pin, []byte{':'}); ok && p.userInPIN {
		return string(user)
	}
	return "user"
}
