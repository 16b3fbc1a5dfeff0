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

// Verdict is a row's right-hand side: the resource's fate, what the failure means
// to the one who asked, and what an operator can do about it.
type Verdict struct {
	Fate  Fate
	Class workerv1.FailureClass
	Hint  string
}

// rule is one row of the table. An empty profile or function, or no code, matches every
// one.
type rule struct {
	profile, function string
	rvs               []RV
	verdict           Verdict
}

// Decide returns what the return code of a C_ function means under a profile. The
// first row that matches counts; a code that no row knows drops the session.
func Decide(profile, function string, rv RV) Verdict {
	for _, r := range rules() {
		if r.matches(profile, function, rv) {
			return r.verdict
		}
	}
	return Verdict{DropSession, workerv1.FailureClass_FAILURE_CLASS_INTERNAL, ""}
}

func (r rule) matches(profile, function string, rv RV) bool {
	if r.profile != "" && r.profile != profile || r.function != "" && r.function != function {
		return false
	}
	return len(r.rvs) == 0 || slices.Contains(r.rvs, rv)
}

const (
	hintPIN     = "correct the PIN at its source and restart the server (of a custom key store: disconnect, update and connect it); it is not tried again, because HSMs lock after a few wrong PINs"
	hintLogin   = "find out why the login was refused and restart the server; the PIN is not tried again, because HSMs lock after a few wrong PINs"
	hintLost    = "the worker is replaced by itself; if it recurs, see the HSM and its network"
	hintTokens  = "check that the token directory exists, is writable and has space"
	hintBusy    = "the HSM is busy: try again later"
	hintLibrary = "check the profile against the library"
	hintKey     = "the key is of another kind than its record says"
)

// rules is the table. Codes of one meaning share a row.
func rules() []rule {
	const (
		caller      = workerv1.FailureClass_FAILURE_CLASS_CALLER
		missing     = workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING
		busy        = workerv1.FailureClass_FAILURE_CLASS_BUSY
		unavailable = workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE
		operator    = workerv1.FailureClass_FAILURE_CLASS_OPERATOR
		unsupported = workerv1.FailureClass_FAILURE_CLASS_UNSUPPORTED
		internal    = workerv1.FailureClass_FAILURE_CLASS_INTERNAL
	)
	return []rule{
		{"", "C_Login", []RV{PINIncorrect, PINInvalid, PINLenRange, PINExpired, PINLocked}, Verdict{Stop, operator, hintPIN}},
		{"", "C_Login", []RV{
			DeviceError, DeviceMemory, DeviceRemoved, TokenNotPresent, TokenNotRecognized, SessionClosed, SessionCount,
			SessionHandleInvalid, CryptokiNotInitialized, HostMemory, FunctionCanceled,
		}, Verdict{Restart, unavailable, hintLost}},
		// What SoftHSM says of a token that another process is initialising.
		{ProfileSoftHSM, "C_Login", []RV{GeneralError, UserPINNotInitialized}, Verdict{Restart, unavailable, hintTokens}},
		{"", "C_Login", nil, Verdict{Stop, operator, hintLogin}},
		{"", "C_Decrypt", []RV{EncryptedDataInvalid, EncryptedDataLenRange}, Verdict{Keep, caller, ""}},
		{ProfileSoftHSM, "C_Decrypt", []RV{GeneralError}, Verdict{Canary, caller, hintTokens}},
		{"", "C_Decrypt", []RV{GeneralError, FunctionFailed, DataInvalid, DataLenRange, ArgumentsBad}, Verdict{Canary, caller, hintLost}},
		{"", "C_UnwrapKey", []RV{WrappedKeyInvalid, WrappedKeyLenRange, EncryptedDataInvalid, EncryptedDataLenRange}, Verdict{Keep, caller, ""}},
		{ProfileSoftHSM, "C_UnwrapKey", []RV{GeneralError, FunctionFailed}, Verdict{Canary, caller, hintTokens}},
		{"", "C_UnwrapKey", []RV{GeneralError, FunctionFailed, DataInvalid, DataLenRange, ArgumentsBad, AttributeValueInvalid,
			TemplateIncomplete, TemplateInconsistent, KeySizeRange}, Verdict{Canary, caller, hintLost}},
		{"", "", []RV{UnwrappingKeyHandleInvalid}, Verdict{Refind, missing, ""}},
		{"", "", []RV{KeyHandleInvalid, ObjectHandleInvalid}, Verdict{Refind, missing, ""}},
		{ProfileCloudHSM, "", []RV{FunctionFailed, OperationActive}, Verdict{DropSession, busy, hintBusy}},
		{"", "", []RV{SessionCount, DeviceMemory}, Verdict{DropSession, busy, "lower the number of sessions"}},
		{"", "", []RV{SessionClosed, SessionHandleInvalid, OperationActive, OperationNotInitialized},
			Verdict{DropSession, unavailable, hintLost}},
		{"", "", []RV{DeviceError, DeviceRemoved, TokenNotPresent, TokenNotRecognized, UserNotLoggedIn, CryptokiNotInitialized, HostMemory},
			Verdict{Restart, unavailable, hintLost}},
		{ProfileSoftHSM, "", []RV{GeneralError, FunctionFailed}, Verdict{DropSession, unavailable, hintTokens}},
		{"", "", []RV{GeneralError, FunctionFailed}, Verdict{DropSession, unavailable, hintLost}},
		{"", "", []RV{MechanismInvalid, MechanismParamInvalid, FunctionNotSupported, KeySizeRange, KeyNotWrappable, KeyUnextractable,
			CurveNotSupported, DomainParamsInvalid}, Verdict{Keep, unsupported, hintLibrary}},
		{"", "", []RV{KeyTypeInconsistent, KeyFunctionNotPermitted, UnwrappingKeySizeRange, UnwrappingKeyInconsistent}, Verdict{Keep, internal, hintKey}},
	}
}
