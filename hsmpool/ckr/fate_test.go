package ckr_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// TestDecide is what the table is for; the golden file has all of it.
func TestDecide(t *testing.T) {
	for _, test := range []struct {
		what, call string
		rv         ckr.RV
		fate       ckr.Fate
		class      string
	}{
		{"sessions lost in a reboot of the HSM", "pkcs11 C_EncryptInit CKM_AES_GCM", ckr.SessionHandleInvalid, ckr.DropSession, "UNAVAILABLE"},
		{"the login lost in it", "cloudhsm C_SignInit CKM_ECDSA", ckr.UserNotLoggedIn, ckr.Restart, "UNAVAILABLE"},
		{"the library lost its state", "softhsm C_FindObjectsInit", ckr.CryptokiNotInitialized, ckr.Restart, "UNAVAILABLE"},
		{"the device is gone", "pkcs11 C_Encrypt CKM_AES_GCM", ckr.DeviceRemoved, ckr.Restart, "UNAVAILABLE"},
		{"a token that comes back is not seen by this library", "softhsm C_OpenSession", ckr.TokenNotPresent, ckr.Restart, "UNAVAILABLE"},
		{"a key destroyed by somebody else", "pkcs11 C_EncryptInit CKM_AES_GCM", ckr.KeyHandleInvalid, ckr.Refind, "OBJECT_MISSING"},
		{"the key that unwraps, likewise", "softhsm C_UnwrapKey CKM_RSA_PKCS_OAEP", ckr.UnwrappingKeyHandleInvalid, ckr.Refind, "OBJECT_MISSING"},

		{"CloudHSM is throttled", "cloudhsm C_Encrypt CKM_AES_GCM", ckr.FunctionFailed, ckr.DropSession, "BUSY"},
		{"CloudHSM is throttled, SDK 3", "cloudhsm C_EncryptInit CKM_AES_GCM", ckr.OperationActive, ckr.DropSession, "BUSY"},
		{"no good ciphertext is called bad for it", "cloudhsm C_Decrypt CKM_AES_GCM", ckr.FunctionFailed, ckr.DropSession, "BUSY"},
		{"CloudHSM before 5.18.0", "cloudhsm C_GetAttributeValue", ckr.DeviceError, ckr.DropSession, "BUSY"},
		{"elsewhere it is the device", "pkcs11 C_Encrypt CKM_AES_GCM", ckr.FunctionFailed, ckr.DropSession, "UNAVAILABLE"},
		{"too many sessions", "pkcs11 C_OpenSession", ckr.SessionCount, ckr.DropSession, "BUSY"},
		{"too many sessions opened fast, CloudHSM", "cloudhsm C_OpenSession", ckr.ArgumentsBad, ckr.DropSession, "BUSY"},

		{"an operation was left active", "pkcs11 C_SignInit CKM_ECDSA", ckr.OperationActive, ckr.DropSession, "UNAVAILABLE"},
		{"none may be left active, whatever else went wrong", "pkcs11 C_Sign CKM_ECDSA", ckr.MechanismInvalid, ckr.DropSession, "UNSUPPORTED"},
		{"before the operation nothing is active", "pkcs11 C_SignInit CKM_ECDSA", ckr.MechanismInvalid, ckr.Keep, "UNSUPPORTED"},

		{"a bad ciphertext", "pkcs11 C_Decrypt CKM_AES_GCM", ckr.EncryptedDataInvalid, ckr.Keep, "CALLER"},
		{"a bad ciphertext, to SoftHSM", "softhsm C_Decrypt CKM_AES_GCM", ckr.GeneralError, ckr.Canary, "CALLER"},
		{"bad padding, to SoftHSM", "softhsm C_Decrypt CKM_RSA_PKCS_OAEP", ckr.GeneralError, ckr.Canary, "CALLER"},
		{"what FIPS forbids to decrypt without padding", "pkcs11 C_Decrypt CKM_RSA_X_509", ckr.DataInvalid, ckr.Canary, "CALLER"},
		{"a block of the worker's own", "pkcs11 C_Decrypt CKM_AES_ECB", ckr.DataInvalid, ckr.DropSession, "INTERNAL"},
		{"the same from a device at fault", "softhsm C_Decrypt CKM_AES_ECB", ckr.GeneralError, ckr.DropSession, "UNAVAILABLE"},
		{"wrapped material of another type", "pkcs11 C_UnwrapKey CKM_RSA_AES_KEY_WRAP", ckr.TemplateInconsistent, ckr.Canary, "CALLER"},
		{"bad wrapped material", "pkcs11 C_UnwrapKey CKM_RSA_PKCS_OAEP", ckr.WrappedKeyInvalid, ckr.Keep, "CALLER"},
		{"a point that the token refuses", "pkcs11 C_DeriveKey CKM_ECDH1_DERIVE", ckr.PublicKeyInvalid, ckr.Keep, "CALLER"},
		{"no such derivation function", "cloudhsm C_DeriveKey CKM_ECDH1_DERIVE", ckr.MechanismParamInvalid, ckr.Keep, "UNSUPPORTED"},

		{"a wrong PIN", "softhsm C_Login", ckr.PINIncorrect, ckr.Stop, "OPERATOR"},
		{"a locked one", "cloudhsm C_Login", ckr.PINLocked, ckr.Stop, "OPERATOR"},
		{"who knows whether the PIN was counted as wrong", "pkcs11 C_Login", ckr.GeneralError, ckr.Stop, "OPERATOR"},
		{"a code of the vendor's at a login", "pkcs11 C_Login", 0x80000001, ckr.Stop, "OPERATOR"},
		{"a token that another process initialises", "softhsm C_Login", ckr.GeneralError, ckr.Restart, "UNAVAILABLE"},
		{"CloudHSM is throttled at a cold start", "cloudhsm C_Login", ckr.FunctionFailed, ckr.Restart, "UNAVAILABLE"},

		{"attributes that CloudHSM refuses", "cloudhsm C_GenerateKey CKM_AES_KEY_GEN", ckr.AttributeValueInvalid, ckr.Keep, "UNSUPPORTED"},
		{"a message that is too long for the token", "cloudhsm C_Sign CKM_SHA256_HMAC", ckr.DataLenRange, ckr.DropSession, "UNSUPPORTED"},
		{"a full disk, file permissions, SELinux", "softhsm C_GenerateKey CKM_AES_KEY_GEN", ckr.GeneralError, ckr.DropSession, "UNAVAILABLE"},
		{"a key of another kind", "softhsm C_SignInit CKM_ECDSA", ckr.KeyTypeInconsistent, ckr.Keep, "INTERNAL"},
		{"a code that nobody knows", "softhsm C_Encrypt CKM_AES_GCM", 0x80000001, ckr.DropSession, "INTERNAL"},
	} {
		part := strings.Fields(test.call + " ")
		at := ckr.Call{Profile: part[0], Function: part[1], Mechanism: strings.Join(part[2:], "")}
		v := ckr.Decide(at, test.rv)
		if class := strings.TrimPrefix(v.Class.String(), "FAILURE_CLASS_"); v.Fate != test.fate || class != test.class {
			t.Errorf("%s: %s %s: %v, %s; want %v, %s", test.what, test.call, test.rv, v.Fate, class, test.fate, test.class)
		}
	}
}

// TestHints: what an operator can do is said wherever he is the one to do it.
func TestHints(t *testing.T) {
	var all []ckr.Call
	for _, profile := range profiles() {
		all = append(all, calls(profile)...)
	}
	for _, at := range all {
		for _, rv := range ckr.All() {
			v := ckr.Decide(at, rv)
			switch v.Class.String() {
			case "FAILURE_CLASS_UNAVAILABLE", "FAILURE_CLASS_OPERATOR", "FAILURE_CLASS_BUSY", "FAILURE_CLASS_UNSUPPORTED":
				if v.Hint == "" {
					t.Errorf("%s %s %s has no hint", at.Profile, at.Function, rv)
				}
			}
			if v.Fate.String() == "invalid" {
				t.Errorf("fate %d has no name", v.Fate)
			}
		}
	}
	hint := ckr.Decide(ckr.Call{Profile: "softhsm", Function: "C_GenerateKey"}, ckr.GeneralError).Hint
	for _, want := range []string{"token directory", "read and write", "disk", "SELinux", "systemd"} {
		if !strings.Contains(hint, want) {
			t.Errorf("the hint does not name %q: %s", want, hint)
		}
	}
}

func TestNames(t *testing.T) {
	for rv, want := range map[ckr.RV]string{
		ckr.OK: "CKR_OK", ckr.PINIncorrect: "CKR_PIN_INCORRECT", ckr.CryptokiAlreadyInitialized: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
		0x209: "CKR_PARAMETER_SET_NOT_SUPPORTED", 0x80000001: "CKR_VENDOR_DEFINED+0x1 (0x80000001)", 0x0ff: "CKR 0x000000ff",
	} {
		if got := rv.String(); got != want {
			t.Errorf("%d is %s, want %s", rv, got, want)
		}
	}
	if all := ckr.All(); len(all) != 105 || !slices.IsSorted(all) {
		t.Errorf("%d codes, want 105 in order: %v", len(all), all)
	}
	if got := ckr.Of(1 << 32); got == ckr.OK {
		t.Error("a code of more than 32 bits passes for success")
	}
	if got := ckr.Of(0x30); got != ckr.DeviceError {
		t.Errorf("code 0x30 is %v", got)
	}
}
