package ckr

import (
	"slices"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// The profiles: what is known of a library's habits.
const (
	ProfileSoftHSM  = "softhsm"
	ProfileCloudHSM = "cloudhsm"
	// ProfilePKCS11 is any other library that keeps to the standard.
	ProfilePKCS11 = "pkcs11"
)

// Fate is what becomes of the session and the worker that met a return code.
type Fate int

const (
	_ Fate = iota
	// Keep answers the request; session and worker stay as they are.
	Keep
	// Canary asks a ciphertext known to be good on the same session: if that
	// opens, the caller's ciphertext is bad; if not, the session is dropped.
	Canary
	// Refind forgets the object's handle, finds the object again, and tries once more.
	Refind
	// DropSession closes the session, and tries once more on a new one.
	DropSession
	// Restart replaces the worker.
	Restart
	// Stop leaves the worker stopped until an operator has acted.
	Stop
)

// String returns the fate's name.
func (f Fate) String() string {
	switch f {
	case Keep:
		return "keep"
	case Canary:
		return "canary"
	case Refind:
		return "refind"
	case DropSession:
		return "drop session"
	case Restart:
		return "restart"
	case Stop:
		return "stop"
	}
	return "invalid"
}

// Call is what was called.
type Call struct {
	// Profile of the library.
	Profile string
	// Function is the C_ function.
	Function string
	// Mechanism is the PKCS#11 name (CKM_AES_GCM) of what it did, or what its Init
	// function began; empty if it has none.
	Mechanism string
}

// Verdict is a row's right-hand side: the resource's fate, what the failure means
// to the one who asked, and what an operator can do about it.
type Verdict struct {
	Fate  Fate
	Class workerv1.FailureClass
	Hint  string
}

// Decide returns what the return code of a call means. The first row that matches counts;
// a code that no row knows drops the session.
//
// So does every failure between an Init function and its end, whatever the row says, but
// for a caller's bad input, after which the standard has the operation ended: no session
// on which an operation may still be active serves anybody else.
func Decide(at Call, rv RV) Verdict {
	verdict := Verdict{DropSession, workerv1.FailureClass_FAILURE_CLASS_INTERNAL, ""}
	for _, r := range rules() {
		if r.matches(at, rv) {
			verdict = r.verdict
			break
		}
	}
	if verdict.Fate == Keep && verdict.Class != workerv1.FailureClass_FAILURE_CLASS_CALLER && midway(at.Function) {
		verdict.Fate = DropSession
	}
	return verdict
}

// midway tells whether a function belongs to an operation that another one has begun.
func midway(function string) bool {
	return slices.Contains([]string{
		"C_Encrypt", "C_Decrypt", "C_Sign", "C_Verify", "C_DigestKey", "C_DigestUpdate", "C_DigestFinal", "C_FindObjects", "C_FindObjectsFinal",
	}, function)
}
