package ckr

import (
	"slices"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// rule is one row of the table. A call matches if it is as on says, where an empty field
// matches every one, and by one of the mechanisms, and if it returned one of the codes; an
// empty list matches all.
type rule struct {
	on         Call
	mechanisms []string
	rvs        []RV
	verdict    Verdict
}

func (r rule) matches(at Call, rv RV) bool {
	same := func(row, call string) bool { return row == "" || row == call }
	return same(r.on.Profile, at.Profile) && same(r.on.Function, at.Function) &&
		(len(r.mechanisms) == 0 || slices.Contains(r.mechanisms, at.Mechanism)) &&
		(len(r.rvs) == 0 || slices.Contains(r.rvs, rv))
}

const (
	hintPIN = "correct the PIN at its source or at the HSM, then run `strongroom hsm unlock-check` (of a custom key store: disconnect, " +
		"update and connect it); it is not tried again before, because HSMs lock after a few wrong PINs"
	hintLogin = "find out why the login was refused, then run `strongroom hsm unlock-check`; the PIN is not tried again before, " +
		"because HSMs lock after a few wrong PINs"
	hintLost   = "the worker is replaced by itself; if it recurs, see the HSM and its network"
	hintTokens = "check SoftHSM's token directory (directories.tokendir in softhsm2.conf): that it is there, that the server's user may read and " +
		"write it and all files in it, that its disk has space, and that neither SELinux nor systemd (ReadWritePaths) forbids it"
	hintBusy     = "the HSM is busy: try again later"
	hintSessions = "the HSM grants no more sessions: lower the number of sessions of all who use it"
	hintLibrary  = "check the profile against the library"
	hintTemplate = "the library refuses the attributes of a key; check the profile against the library"
	hintKey      = "the key is of another kind than its record says"
	hintProtect  = "the token is write-protected: make it writable by the HSM's own tool"
	hintSpent    = "the HSM does not let the key be used any more"
)

// The classes by the names of the table.
const (
	caller      = workerv1.FailureClass_FAILURE_CLASS_CALLER
	missing     = workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING
	busy        = workerv1.FailureClass_FAILURE_CLASS_BUSY
	unavailable = workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE
	operator    = workerv1.FailureClass_FAILURE_CLASS_OPERATOR
	unsupported = workerv1.FailureClass_FAILURE_CLASS_UNSUPPORTED
	internal    = workerv1.FailureClass_FAILURE_CLASS_INTERNAL
)

// rules is the table. Codes of one meaning share a row.
func rules() []rule {
	return slices.Concat(loginRules(), callerRules(), busyRules(), deviceRules(), abilityRules())
}

// loginRules stop at every code of C_Login that is not known to be the device's: the token
// may have counted a wrong PIN.
func loginRules() []rule {
	login := func(profile string) Call { return Call{Profile: profile, Function: "C_Login"} }
	return []rule{
		{login(""), nil, []RV{PINIncorrect, PINInvalid, PINLenRange, PINExpired, PINLocked}, Verdict{Stop, operator, hintPIN}},
		{login(""), nil, append(lost(), SessionClosed, SessionCount, SessionHandleInvalid, DeviceMemory, FunctionCanceled, Cancel), Verdict{Restart, unavailable, hintLost}},
		// What SoftHSM says of a token that another process is initialising.
		{login(ProfileSoftHSM), nil, []RV{GeneralError, UserPINNotInitialized}, Verdict{Restart, unavailable, hintTokens}},
		{login(ProfileCloudHSM), nil, []RV{FunctionFailed}, Verdict{Restart, unavailable, hintBusy}},
		{login(""), nil, nil, Verdict{Stop, operator, hintLogin}},
	}
}

// callerRules are about what a caller has sent.
func callerRules() []rule {
	on := func(profile, function string) Call { return Call{Profile: profile, Function: function} }
	ciphertexts := []string{"CKM_AES_GCM", "CKM_RSA_PKCS_OAEP", "CKM_RSA_X_509"}
	doubtful := []RV{GeneralError, FunctionFailed, DataInvalid, DataLenRange, ArgumentsBad}
	return []rule{
		{on("", "C_Decrypt"), ciphertexts, []RV{EncryptedDataInvalid, EncryptedDataLenRange, AEADDecryptFailed}, Verdict{Keep, caller, ""}},
		{on(ProfileSoftHSM, "C_Decrypt"), ciphertexts, []RV{GeneralError, FunctionFailed}, Verdict{Canary, caller, hintTokens}},
		// CloudHSM says this when it is busy; a canary that it then opens would prove nothing.
		{on(ProfileCloudHSM, "C_Decrypt"), nil, []RV{FunctionFailed}, Verdict{DropSession, busy, hintBusy}},
		{on("", "C_Decrypt"), ciphertexts, doubtful, Verdict{Canary, caller, hintLost}},
		{on("", "C_UnwrapKey"), nil, []RV{WrappedKeyInvalid, WrappedKeyLenRange, EncryptedDataInvalid, EncryptedDataLenRange}, Verdict{Keep, caller, ""}},
		{on(ProfileSoftHSM, "C_UnwrapKey"), nil, []RV{GeneralError, FunctionFailed}, Verdict{Canary, caller, hintTokens}},
		{on("", "C_UnwrapKey"), nil, append(doubtful, AttributeValueInvalid, TemplateIncomplete, TemplateInconsistent, KeySizeRange),
			Verdict{Canary, caller, hintLost}},
		// The worker has seen that the point is on the curve. What is left is the derivation function.
		{on("", "C_DeriveKey"), []string{"CKM_ECDH1_DERIVE"}, []RV{PublicKeyInvalid}, Verdict{Keep, caller, ""}},
		{on("", "C_DeriveKey"), []string{"CKM_ECDH1_DERIVE"}, []RV{ArgumentsBad}, Verdict{Keep, unsupported, hintLibrary}},
	}
}

// busyRules are about an HSM that has no room just now.
func busyRules() []rule {
	return []rule{
		{Call{Profile: ProfileCloudHSM, Function: "C_OpenSession"}, nil, []RV{ArgumentsBad}, Verdict{DropSession, busy, hintSessions}},
		{Call{}, nil, []RV{SessionCount, DeviceMemory, TokenResourceExceeded}, Verdict{DropSession, busy, hintSessions}},
		{Call{Profile: ProfileCloudHSM}, nil, []RV{FunctionFailed, OperationActive}, Verdict{DropSession, busy, hintBusy}},
		// CloudHSM's client before 5.18.0.
		{Call{Profile: ProfileCloudHSM, Function: "C_GetAttributeValue"}, nil, []RV{DeviceError}, Verdict{DropSession, busy, hintBusy}},
	}
}

// deviceRules are about handles, sessions, logins, tokens and devices that are gone.
func deviceRules() []rule {
	return []rule{
		{Call{}, nil, []RV{KeyHandleInvalid, ObjectHandleInvalid, UnwrappingKeyHandleInvalid}, Verdict{Refind, missing, ""}},
		{Call{}, nil, []RV{SessionClosed, SessionHandleInvalid, OperationActive, OperationNotInitialized, WrappingKeyHandleInvalid, FunctionCanceled, Cancel},
			Verdict{DropSession, unavailable, hintLost}},
		{Call{}, nil, lost(), Verdict{Restart, unavailable, hintLost}},
		{Call{Profile: ProfileSoftHSM}, nil, []RV{GeneralError, FunctionFailed}, Verdict{DropSession, unavailable, hintTokens}},
		{Call{}, nil, []RV{GeneralError, FunctionFailed}, Verdict{DropSession, unavailable, hintLost}},
		{Call{}, nil, []RV{TokenWriteProtected}, Verdict{Keep, operator, hintProtect}},
		{Call{}, nil, []RV{KeyExhausted}, Verdict{Keep, operator, hintSpent}},
	}
}

// lost are the codes of a library that has lost its device, token or login. Only
// initialising it anew is known to bring them back.
func lost() []RV {
	return []RV{
		DeviceError, DeviceRemoved, TokenNotPresent, TokenNotRecognized, TokenNotInitialized, SlotIDInvalid, UserNotLoggedIn,
		CryptokiNotInitialized, HostMemory, LibraryLoadFailed, FIPSSelfTestFailed,
	}
}

// abilityRules are about what the token or a key cannot do.
func abilityRules() []rule {
	generate := func(function string) Call { return Call{Function: function} }
	template := []RV{AttributeReadOnly, AttributeTypeInvalid, AttributeValueInvalid, TemplateIncomplete, TemplateInconsistent}
	return []rule{
		{generate("C_GenerateKey"), nil, template, Verdict{Keep, unsupported, hintTemplate}},
		{generate("C_GenerateKeyPair"), nil, template, Verdict{Keep, unsupported, hintTemplate}},
		// Digests, messages and plaintexts are as long as they may be, or the server is wrong.
		{Call{Function: "C_Encrypt"}, nil, []RV{DataInvalid, DataLenRange}, Verdict{Keep, unsupported, hintLibrary}},
		{Call{Function: "C_Sign"}, nil, []RV{DataInvalid, DataLenRange}, Verdict{Keep, unsupported, hintLibrary}},
		{Call{}, nil, []RV{MechanismInvalid, MechanismParamInvalid, FunctionNotSupported, KeySizeRange, KeyNotWrappable, KeyUnextractable,
			CurveNotSupported, DomainParamsInvalid, KeyIndigestible, ActionProhibited, RandomNoRNG, NeedToCreateThreads, CantLock},
			Verdict{Keep, unsupported, hintLibrary}},
		{Call{}, nil, []RV{KeyTypeInconsistent, KeyFunctionNotPermitted, UnwrappingKeySizeRange, UnwrappingKeyInconsistent,
			WrappingKeySizeRange, WrappingKeyInconsistent}, Verdict{Keep, internal, hintKey}},
	}
}
