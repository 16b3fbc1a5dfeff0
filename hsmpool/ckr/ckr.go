// Package ckr knows the return codes of PKCS#11 (CK_RV): their names, and in one
// table what each one means for the request, the session and the worker that met
// it. It imports no PKCS#11 package, so the pool and the worker share it.
//
// Source: PKCS#11 version 2.40, section 11.1; what libraries really answer is in
// docs/pkcs11.md.
package ckr

import (
	"fmt"
	"math"
)

// RV is the return code of a C_ function (CK_RV).
type RV uint32

// Of returns a library's code. Those that do not fit, on 64-bit systems, become the
// largest one, so that none of them passes for success.
func Of(code uint64) RV { return RV(min(code, math.MaxUint32)) }

// The return codes that the table of fates or the code asks for by name.
const (
	OK                         RV = 0x000
	HostMemory                 RV = 0x002
	GeneralError               RV = 0x005
	FunctionFailed             RV = 0x006
	ArgumentsBad               RV = 0x007
	AttributeSensitive         RV = 0x011
	AttributeTypeInvalid       RV = 0x012
	AttributeValueInvalid      RV = 0x013
	DataInvalid                RV = 0x020
	DataLenRange               RV = 0x021
	DeviceError                RV = 0x030
	DeviceMemory               RV = 0x031
	DeviceRemoved              RV = 0x032
	EncryptedDataInvalid       RV = 0x040
	EncryptedDataLenRange      RV = 0x041
	FunctionCanceled           RV = 0x050
	FunctionNotSupported       RV = 0x054
	KeyHandleInvalid           RV = 0x060
	KeySizeRange               RV = 0x062
	KeyTypeInconsistent        RV = 0x063
	KeyIndigestible            RV = 0x067
	KeyFunctionNotPermitted    RV = 0x068
	KeyNotWrappable            RV = 0x069
	KeyUnextractable           RV = 0x06a
	MechanismInvalid           RV = 0x070
	MechanismParamInvalid      RV = 0x071
	ObjectHandleInvalid        RV = 0x082
	DomainParamsInvalid        RV = 0x130
	CurveNotSupported          RV = 0x140
	OperationActive            RV = 0x090
	OperationNotInitialized    RV = 0x091
	PINIncorrect               RV = 0x0a0
	PINInvalid                 RV = 0x0a1
	PINLenRange                RV = 0x0a2
	PINExpired                 RV = 0x0a3
	PINLocked                  RV = 0x0a4
	SessionClosed              RV = 0x0b0
	SessionCount               RV = 0x0b1
	SessionHandleInvalid       RV = 0x0b3
	TemplateIncomplete         RV = 0x0d0
	TemplateInconsistent       RV = 0x0d1
	TokenNotPresent            RV = 0x0e0
	TokenNotRecognized         RV = 0x0e1
	UnwrappingKeyHandleInvalid RV = 0x0f0
	UnwrappingKeySizeRange     RV = 0x0f1
	UnwrappingKeyInconsistent  RV = 0x0f2
	UserAlreadyLoggedIn        RV = 0x100
	UserNotLoggedIn            RV = 0x101
	UserPINNotInitialized      RV = 0x102
	WrappedKeyInvalid          RV = 0x110
	WrappedKeyLenRange         RV = 0x112
	CryptokiNotInitialized     RV = 0x190
	CryptokiAlreadyInitialized RV = 0x191
)

// String returns the standard's name of rv, or its number if it has none here.
func (rv RV) String() string {
	if rv == OK {
		return "CKR_OK" // every API event says it
	}
	for _, all := range []map[RV]string{names(), wrapNames()} {
		if name, ok := all[rv]; ok {
			return name
		}
	}
	return fmt.Sprintf("CKR 0x%08x", uint32(rv))
}

// names is asked only for messages about failures.
func names() map[RV]string {
	return map[RV]string{
		HostMemory:                 "CKR_HOST_MEMORY",
		0x003:                      "CKR_SLOT_ID_INVALID",
		GeneralError:               "CKR_GENERAL_ERROR",
		FunctionFailed:             "CKR_FUNCTION_FAILED",
		ArgumentsBad:               "CKR_ARGUMENTS_BAD",
		0x010:                      "CKR_ATTRIBUTE_READ_ONLY",
		AttributeSensitive:         "CKR_ATTRIBUTE_SENSITIVE",
		AttributeTypeInvalid:       "CKR_ATTRIBUTE_TYPE_INVALID",
		AttributeValueInvalid:      "CKR_ATTRIBUTE_VALUE_INVALID",
		DataInvalid:                "CKR_DATA_INVALID",
		DataLenRange:               "CKR_DATA_LEN_RANGE",
		DeviceError:                "CKR_DEVICE_ERROR",
		DeviceMemory:               "CKR_DEVICE_MEMORY",
		DeviceRemoved:              "CKR_DEVICE_REMOVED",
		EncryptedDataInvalid:       "CKR_ENCRYPTED_DATA_INVALID",
		EncryptedDataLenRange:      "CKR_ENCRYPTED_DATA_LEN_RANGE",
		FunctionCanceled:           "CKR_FUNCTION_CANCELED",
		FunctionNotSupported:       "CKR_FUNCTION_NOT_SUPPORTED",
		KeyHandleInvalid:           "CKR_KEY_HANDLE_INVALID",
		KeySizeRange:               "CKR_KEY_SIZE_RANGE",
		KeyTypeInconsistent:        "CKR_KEY_TYPE_INCONSISTENT",
		KeyIndigestible:            "CKR_KEY_INDIGESTIBLE",
		KeyFunctionNotPermitted:    "CKR_KEY_FUNCTION_NOT_PERMITTED",
		MechanismInvalid:           "CKR_MECHANISM_INVALID",
		MechanismParamInvalid:      "CKR_MECHANISM_PARAM_INVALID",
		ObjectHandleInvalid:        "CKR_OBJECT_HANDLE_INVALID",
		OperationActive:            "CKR_OPERATION_ACTIVE",
		OperationNotInitialized:    "CKR_OPERATION_NOT_INITIALIZED",
		PINIncorrect:               "CKR_PIN_INCORRECT",
		PINInvalid:                 "CKR_PIN_INVALID",
		PINLenRange:                "CKR_PIN_LEN_RANGE",
		PINExpired:                 "CKR_PIN_EXPIRED",
		PINLocked:                  "CKR_PIN_LOCKED",
		SessionClosed:              "CKR_SESSION_CLOSED",
		SessionCount:               "CKR_SESSION_COUNT",
		SessionHandleInvalid:       "CKR_SESSION_HANDLE_INVALID",
		0x0b5:                      "CKR_SESSION_READ_ONLY",
		TemplateIncomplete:         "CKR_TEMPLATE_INCOMPLETE",
		TemplateInconsistent:       "CKR_TEMPLATE_INCONSISTENT",
		TokenNotPresent:            "CKR_TOKEN_NOT_PRESENT",
		TokenNotRecognized:         "CKR_TOKEN_NOT_RECOGNIZED",
		0x0e2:                      "CKR_TOKEN_WRITE_PROTECTED",
		UserAlreadyLoggedIn:        "CKR_USER_ALREADY_LOGGED_IN",
		UserNotLoggedIn:            "CKR_USER_NOT_LOGGED_IN",
		UserPINNotInitialized:      "CKR_USER_PIN_NOT_INITIALIZED",
		0x103:                      "CKR_USER_TYPE_INVALID",
		0x121:                      "CKR_RANDOM_NO_RNG",
		DomainParamsInvalid:        "CKR_DOMAIN_PARAMS_INVALID",
		CurveNotSupported:          "CKR_CURVE_NOT_SUPPORTED",
		0x150:                      "CKR_BUFFER_TOO_SMALL",
		CryptokiNotInitialized:     "CKR_CRYPTOKI_NOT_INITIALIZED",
		CryptokiAlreadyInitialized: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
		0x200:                      "CKR_FUNCTION_REJECTED",
	}
}

// wrapNames are those of what can be wrong with wrapping and unwrapping.
func wrapNames() map[RV]string {
	return map[RV]string{
		KeyNotWrappable:            "CKR_KEY_NOT_WRAPPABLE",
		KeyUnextractable:           "CKR_KEY_UNEXTRACTABLE",
		UnwrappingKeyHandleInvalid: "CKR_UNWRAPPING_KEY_HANDLE_INVALID",
		UnwrappingKeySizeRange:     "CKR_UNWRAPPING_KEY_SIZE_RANGE",
		UnwrappingKeyInconsistent:  "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT",
		WrappedKeyInvalid:          "CKR_WRAPPED_KEY_INVALID",
		WrappedKeyLenRange:         "CKR_WRAPPED_KEY_LEN_RANGE",
	}
}
