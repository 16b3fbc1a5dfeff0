package ckr_test

import (
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	caller      = workerv1.FailureClass_FAILURE_CLASS_CALLER
	missing     = workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING
	busy        = workerv1.FailureClass_FAILURE_CLASS_BUSY
	unavailable = workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE
	operator    = workerv1.FailureClass_FAILURE_CLASS_OPERATOR
	unsupported = workerv1.FailureClass_FAILURE_CLASS_UNSUPPORTED
	internal    = workerv1.FailureClass_FAILURE_CLASS_INTERNAL
)

func TestDecide(t *testing.T) {
	for _, test := range []struct {
		profile, function string
		rv                ckr.RV
		fate              ckr.Fate
		class             workerv1.FailureClass
	}{
		{"softhsm", "C_Decrypt", ckr.GeneralError, ckr.Canary, caller},
		{"cloudhsm", "C_Decrypt", ckr.GeneralError, ckr.Canary, caller},
		{"cloudhsm", "C_Decrypt", ckr.FunctionFailed, ckr.Canary, caller},
		{"softhsm", "C_Decrypt", ckr.ArgumentsBad, ckr.Canary, caller},
		{"cloudhsm", "C_Encrypt", ckr.GeneralError, ckr.DropSession, unavailable},
		{"cloudhsm", "C_Decrypt", ckr.EncryptedDataInvalid, ckr.Keep, caller},
		{"softhsm", "C_Encrypt", ckr.GeneralError, ckr.DropSession, unavailable},
		{"softhsm", "C_EncryptInit", ckr.KeyHandleInvalid, ckr.Refind, missing},
		{"softhsm", "C_DestroyObject", ckr.ObjectHandleInvalid, ckr.Refind, missing},
		{"softhsm", "C_EncryptInit", ckr.SessionHandleInvalid, ckr.DropSession, unavailable},
		{"softhsm", "C_EncryptInit", ckr.OperationActive, ckr.DropSession, unavailable},
		{"cloudhsm", "C_EncryptInit", ckr.OperationActive, ckr.DropSession, busy},
		{"cloudhsm", "C_Encrypt", ckr.FunctionFailed, ckr.DropSession, busy},
		{"cloudhsm", "C_OpenSession", ckr.SessionCount, ckr.DropSession, busy},
		{"cloudhsm", "C_Encrypt", ckr.DeviceError, ckr.Restart, unavailable},
		{"softhsm", "C_EncryptInit", ckr.UserNotLoggedIn, ckr.Restart, unavailable},
		{"softhsm", "C_FindObjectsInit", ckr.CryptokiNotInitialized, ckr.Restart, unavailable},
		{"softhsm", "C_Login", ckr.PINIncorrect, ckr.Stop, operator},
		{"cloudhsm", "C_Login", ckr.PINLocked, ckr.Stop, operator},
		{"cloudhsm", "C_Login", ckr.GeneralError, ckr.Stop, operator},
		{"cloudhsm", "C_Login", ckr.UserPINNotInitialized, ckr.Stop, operator},
		{"softhsm", "C_Login", ckr.UserPINNotInitialized, ckr.Restart, unavailable},
		{"softhsm", "C_Login", ckr.GeneralError, ckr.Restart, unavailable},
		{"cloudhsm", "C_Login", ckr.DeviceError, ckr.Restart, unavailable},
		{"cloudhsm", "C_Login", ckr.FunctionCanceled, ckr.Restart, unavailable},
		{"softhsm", "C_Login", ckr.RV(0x80000001), ckr.Stop, operator},
		{"softhsm", "C_InitPIN", ckr.PINLenRange, ckr.DropSession, internal},
		{"softhsm", "C_EncryptInit", ckr.MechanismInvalid, ckr.Keep, unsupported},
		{"softhsm", "C_UnwrapKey", ckr.GeneralError, ckr.Canary, caller},
		{"softhsm", "C_UnwrapKey", ckr.FunctionFailed, ckr.Canary, caller},
		{"cloudhsm", "C_UnwrapKey", ckr.FunctionFailed, ckr.Canary, caller},
		{"pkcs11", "C_UnwrapKey", ckr.TemplateInconsistent, ckr.Canary, caller},
		{"softhsm", "C_UnwrapKey", ckr.WrappedKeyLenRange, ckr.Keep, caller},
		{"pkcs11", "C_UnwrapKey", ckr.WrappedKeyInvalid, ckr.Keep, caller},
		{"softhsm", "C_UnwrapKey", ckr.UnwrappingKeyHandleInvalid, ckr.Refind, missing},
		{"pkcs11", "C_UnwrapKey", ckr.UnwrappingKeyInconsistent, ckr.Keep, internal},
		{"pkcs11", "C_UnwrapKey", ckr.DeviceError, ckr.Restart, unavailable},
		{"pkcs11", "C_UnwrapKey", ckr.MechanismInvalid, ckr.Keep, unsupported},
		{"softhsm", "C_CreateObject", ckr.GeneralError, ckr.DropSession, unavailable},
		{"softhsm", "C_WrapKey", ckr.KeyNotWrappable, ckr.Keep, unsupported},
		{"cloudhsm", "C_GenerateKeyPair", ckr.CurveNotSupported, ckr.Keep, unsupported},
		{"softhsm", "C_SignInit", ckr.KeyTypeInconsistent, ckr.Keep, internal},
		{"pkcs11", "C_DecryptInit", ckr.KeyFunctionNotPermitted, ckr.Keep, internal},
		{"softhsm", "C_Sign", ckr.GeneralError, ckr.DropSession, unavailable},
		{"pkcs11", "C_Decrypt", ckr.GeneralError, ckr.Canary, caller},
		{"pkcs11", "C_Encrypt", ckr.FunctionFailed, ckr.DropSession, unavailable},
		{"pkcs11", "C_Encrypt", ckr.OperationActive, ckr.DropSession, unavailable},
		{"pkcs11", "C_Encrypt", ckr.DeviceError, ckr.Restart, unavailable},
		{"pkcs11", "C_Login", ckr.PINIncorrect, ckr.Stop, operator},
		{"pkcs11", "C_Login", ckr.GeneralError, ckr.Stop, operator},
		{"softhsm", "C_Encrypt", ckr.RV(0x80000001), ckr.DropSession, internal},
	} {
		v := ckr.Decide(test.profile, test.function, test.rv)
		if v.Fate != test.fate || v.Class != test.class {
			t.Errorf("%s %s %s: %v, %v; want %v, %v", test.profile, test.function, test.rv, v.Fate, v.Class, test.fate, test.class)
		}
		if v.Fate.String() == "invalid" {
			t.Errorf("fate %d has no name", v.Fate)
		}
	}
}

func TestNames(t *testing.T) {
	for rv, want := range map[ckr.RV]string{
		ckr.OK: "CKR_OK", ckr.PINIncorrect: "CKR_PIN_INCORRECT", ckr.CryptokiAlreadyInitialized: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
	} {
		if got := rv.String(); got != want {
			t.Errorf("%d is %s, want %s", rv, got, want)
		}
	}
	if got := ckr.Of(1 << 32); got == ckr.OK {
		t.Error("a code of more than 32 bits passes for success")
	}
	if got := ckr.Of(0x30); got != ckr.DeviceError {
		t.Errorf("code 0x30 is %v", got)
	}
	if got := ckr.RV(0x80000001).String(); !strings.Contains(got, "80000001") {
		t.Errorf("a vendor's code is %q", got)
	}
}
