package faultp11_test

import (
	"bytes"
	"testing"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

var someIV = []byte("caller's IV.")

// The token's IV is written at once, with the result, or never.
func TestIV(t *testing.T) {
	token := newToken(t)
	session := token.user()
	key := token.key(session, "key")
	for _, test := range []struct {
		name                string
		fault               faultp11.Fault
		afterInit, afterEnd bool
	}{
		{"the caller's", faultp11.Watch("C_Encrypt"), false, false},
		{"own", faultp11.OwnIV(), true, true},
		{"late", faultp11.LateIV(), false, true},
		{"lost", faultp11.LostIV(), false, false},
	} {
		set(t, test.fault)
		params := pkcs11.NewGCMParams(someIV, nil, 128)
		token.must(token.EncryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, key))
		if got := !bytes.Equal(params.IV(), someIV); got != test.afterInit {
			t.Errorf("%s: there is another IV after C_EncryptInit: %t, want %t", test.name, got, test.afterInit)
		}
		sealed, err := token.Encrypt(session, []byte("plaintext"))
		token.must(err)
		iv := params.IV()
		if got := !bytes.Equal(iv, someIV); got != test.afterEnd {
			t.Errorf("%s: there is another IV after C_Encrypt: %t, want %t", test.name, got, test.afterEnd)
		}
		set(t)
		_, err = token.open12(session, key, iv, sealed)
		want := ckr.OK
		if test.name == "lost" {
			want = ckr.GeneralError // SoftHSM's word for a wrong tag
		}
		wantRV(t, test.name+": C_Decrypt", err, want)
		params.Free()
	}
}

func (t *token) open12(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, sealed []byte) ([]byte, error) {
	params := pkcs11.NewGCMParams(iv, nil, 128)
	defer params.Free()
	t.must(t.DecryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, key))
	return t.Decrypt(session, sealed)
}
