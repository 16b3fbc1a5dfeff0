//go:build cgo

package worker

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// pinSaltSize is the size of a salt, in bytes.
const pinSaltSize = 16

const hintPINFlags = "log in with the right PIN by the HSM's own tool, or have it unlock the user, then run `strongroom hsm unlock-check`"

// login logs the user in, unless the token says that this would be risky or the PIN is one
// that it, or another one of its cluster, has refused before. It also returns what names the
// PIN if it was refused, now or before.
func (t *token) login(session pkcs11.SessionHandle, pin []byte, known []*workerv1.RefusedPin) (*workerv1.RefusedPin, error) {
	if len(pin) == 0 {
		return nil, internal(errors.New("the worker was started without a PIN"))
	}
	if info, err := t.ctx.GetTokenInfo(t.slot); err == nil {
		t.info = info // the logins of others may have changed it
	}
	if err := t.checkPINFlags(); err != nil {
		return nil, err
	}
	own, err := notAmong(known, pin)
	if err != nil {
		return own, err
	}
	t.userName = t.profile.userName(pin)
	call := &workerv1.Call{
		Function: "C_Login", Session: uint64(session), UserName: t.userName, UserType: pkcs11.CKU_USER,
	}
	err = t.calls.call(call, func() error { return t.ctx.Login(session, pkcs11.CKU_USER, unsafeString(pin)) })
	rv := rvOf(err)
	if err == nil || rv == ckr.UserAlreadyLoggedIn && defence.On(defence.OneLogin) {
		return nil, nil
	}
	refusal := judge(t.profile.name, "C_Login", err, "logging in")
	if !judgesPIN(rv) {
		return nil, refusal
	}
	if own == nil {
		own, err = nameOf(pin, newSalt())
	}
	return own, errors.Join(refusal, err)
}

// judgesPIN tells whether a code of C_Login is about the PIN that it was given.
func judgesPIN(rv ckr.RV) bool {
	return slices.Contains([]ckr.RV{ckr.PINIncorrect, ckr.PINInvalid, ckr.PINLenRange, ckr.PINExpired}, rv)
}

// checkPINFlags refuses to try a PIN that could be the last one the token allows.
func (t *token) checkPINFlags() error {
	refuse := func(why string) error {
		return &fault{result: result{rv: ckr.PINLocked}, class: workerv1.FailureClass_FAILURE_CLASS_OPERATOR, err: errors.New(why), hint: hintPINFlags}
	}
	switch flags := t.info.Flags; {
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return refuse("the token's user PIN is locked")
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return refuse("the token allows one last try of the user PIN, which is not risked")
	}
	return nil
}

// notAmong fails if a PIN is one of those that were refused. It also returns what
// names the PIN, if it had to find that out. PINs that share a salt cost one hash together.
func notAmong(refused []*workerv1.RefusedPin, pin []byte) (*workerv1.RefusedPin, error) {
	var own *workerv1.RefusedPin
	for _, r := range refused {
		if own == nil || !bytes.Equal(own.GetSalt(), r.GetSalt()) {
			var err error
			if own, err = nameOf(pin, r.GetSalt()); err != nil {
				return nil, err
			}
		}
		if subtle.ConstantTimeCompare(own.GetHash(), r.GetHash()) == 1 {
			return own, refusedBefore()
		}
	}
	return own, nil
}

// refusedBefore is the failure of a login that is not tried. Its code is the one that the
// token has given and would give again; no function has returned it now.
func refusedBefore() *fault {
	return &fault{
		result: result{rv: ckr.PINIncorrect},
		class:  workerv1.FailureClass_FAILURE_CLASS_OPERATOR,
		err:    errors.New("the token, or another one of its cluster, has refused this PIN before, so it is not tried again"),
		hint:   "correct the PIN at its source or at the HSM, then run `strongroom hsm unlock-check`",
	}
}

// nameOf names a PIN without telling it.
func nameOf(pin, salt []byte) (*workerv1.RefusedPin, error) {
	hash, err := pbkdf2.Key(sha256.New, unsafeString(pin), salt, pinIterations, sha256.Size)
	if err != nil {
		return nil, internal(fmt.Errorf("hashing the PIN: %w", err))
	}
	return &workerv1.RefusedPin{Salt: salt, Hash: hash}, nil
}

func newSalt() []byte {
	salt := make([]byte, pinSaltSize)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// unsafeString is a secret as a string, without a copy that could not be wiped. It must
// not be kept.
func unsafeString(secret []byte) string { return unsafe.String(unsafe.SliceData(secret), len(secret)) }
