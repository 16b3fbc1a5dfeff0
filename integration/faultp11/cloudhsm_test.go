package faultp11_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"math/big"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Mechanisms that miekg/pkcs11 has no names for.
const (
	ckmRSAAESKeyWrap = 0x1054
	ckmZeroPad       = 0x8000216f // CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD
	ckmKeyWrapPad    = 0x210a     // what SoftHSM calls the same
)

// newCloudHSM is a token that behaves like CloudHSM, with a session that is logged in.
func newCloudHSM(tb testing.TB) (*token, pkcs11.SessionHandle) {
	tb.Helper()
	token := newToken(tb)
	set(tb, faultp11.CloudHSM())
	session := token.session()
	token.must(token.Login(session, pkcs11.CKU_USER, "crypto-user:"+userPIN))
	return token, session
}

func mechanism(m uint) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(m, nil)}
}

func attribute(kind uint, value any) *pkcs11.Attribute { return pkcs11.NewAttribute(kind, value) }

// with is a template with an attribute set otherwise, and without is one without it.
func with(t []*pkcs11.Attribute, kind uint, value any) []*pkcs11.Attribute {
	return append(without(t, kind), attribute(kind, value))
}

func without(t []*pkcs11.Attribute, kind uint) []*pkcs11.Attribute {
	return slices.DeleteFunc(slices.Clone(t), func(a *pkcs11.Attribute) bool { return a.Type == kind })
}

func rsaPublic(bits int) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		attribute(pkcs11.CKA_MODULUS_BITS, bits),
		attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
	}
}

func TestCloudHSMSessions(t *testing.T) {
	token := newToken(t)
	set(t, faultp11.CloudHSM())
	_, err := token.OpenSession(token.slot, pkcs11.CKF_SERIAL_SESSION)
	wantRV(t, "C_OpenSession for reading", err, ckr.FunctionFailed)
	session := token.session()
	for pin, want := range map[string]ckr.RV{userPIN: ckr.PINIncorrect, "user:wrong": ckr.PINIncorrect} {
		wantRV(t, "C_Login with "+pin, token.Login(session, pkcs11.CKU_USER, pin), want)
	}
	wantRV(t, "C_Login of an officer", token.Login(session, pkcs11.CKU_SO, "user:"+soPIN), ckr.RV(0x103))
	wantRV(t, "C_Login", token.Login(session, pkcs11.CKU_USER, "user:"+userPIN), ckr.OK)
	wantRV(t, "C_Login again", token.Login(session, pkcs11.CKU_USER, "user:"+userPIN), ckr.UserAlreadyLoggedIn)
	info, err := token.GetTokenInfo(token.slot)
	token.must(err)
	if info.Label != "hsm1" {
		t.Errorf("the token is called %q", info.Label)
	}
}

func TestCloudHSMFunctions(t *testing.T) {
	token, session := newCloudHSM(t)
	key := token.key(session, "key")
	_, copying := token.CopyObject(session, key, nil)
	_, sizing := token.GetObjectSize(session, key)
	token.must(token.DigestInit(session, mechanism(pkcs11.CKM_SHA256)))
	for function, err := range map[string]error{
		"C_CopyObject":        copying,
		"C_GetObjectSize":     sizing,
		"C_SetPIN":            token.SetPIN(session, userPIN, userPIN),
		"C_SetAttributeValue": token.SetAttributeValue(session, key, []*pkcs11.Attribute{attribute(pkcs11.CKA_LABEL, "x")}),
		"C_SeedRandom":        token.SeedRandom(session, []byte("seed")),
		"C_DigestKey":         token.DigestKey(session, key),
	} {
		wantRV(t, function, err, ckr.FunctionNotSupported)
	}
}

func TestCloudHSMMechanisms(t *testing.T) {
	token, session := newCloudHSM(t)
	list, err := token.GetMechanismList(token.slot)
	token.must(err)
	has := func(m uint) bool {
		return slices.ContainsFunc(list, func(l *pkcs11.Mechanism) bool { return l.Mechanism == m })
	}
	for m, want := range map[uint]bool{
		pkcs11.CKM_AES_GCM: true, pkcs11.CKM_ECDSA: true, ckmRSAAESKeyWrap: true, ckmZeroPad: true,
		ckmKeyWrapPad: false, pkcs11.CKM_MD5: false, 0x1057: false,
	} {
		_, err := token.GetMechanismInfo(token.slot, mechanism(m))
		if has(m) != want || (err == nil) != want {
			t.Errorf("mechanism %#x: in the list %t, info %v, want %t", m, has(m), err, want)
		}
	}
	key := token.key(session, "key")
	_, err = token.WrapKey(session, mechanism(ckmKeyWrapPad), key, key)
	wantRV(t, "C_WrapKey by CKM_AES_KEY_WRAP_PAD", err, ckr.MechanismInvalid)
	wantRV(t, "C_DigestInit by MD5", token.DigestInit(session, mechanism(pkcs11.CKM_MD5)), ckr.MechanismInvalid)
	wantRV(t, "C_SignInit by a cipher", token.SignInit(session, mechanism(pkcs11.CKM_AES_GCM), key), ckr.MechanismInvalid)
	oaep := pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_OAEP, pkcs11.NewOAEPParams(pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1, pkcs11.CKZ_DATA_SPECIFIED, []byte("label")))
	wantRV(t, "C_DecryptInit by OAEP with a label", token.DecryptInit(session, []*pkcs11.Mechanism{oaep}, key), ckr.MechanismParamInvalid)
	ecdh := pkcs11.NewMechanism(pkcs11.CKM_ECDH1_DERIVE, pkcs11.NewECDH1DeriveParams(pkcs11.CKD_NULL, nil, []byte("point")))
	_, err = token.DeriveKey(session, []*pkcs11.Mechanism{ecdh}, key, nil)
	wantRV(t, "C_DeriveKey by CKD_NULL", err, ckr.MechanismParamInvalid)
}

// Templates that CloudHSM refuses.
func TestCloudHSMTemplates(t *testing.T) {
	token, session := newCloudHSM(t)
	good := with(aesTemplate("good"), pkcs11.CKA_TOKEN, false)
	for _, test := range []struct {
		name     string
		template []*pkcs11.Attribute
		want     ckr.RV
	}{
		{"a good one", good, ckr.OK},
		{"another key of the id", good, ckr.AttributeValueInvalid},
		{"no length", without(good, pkcs11.CKA_VALUE_LEN), ckr.TemplateIncomplete},
		{"an empty label", with(good, pkcs11.CKA_LABEL, ""), ckr.AttributeValueInvalid},
		{"a public key", with(good, pkcs11.CKA_PRIVATE, false), ckr.AttributeValueInvalid},
		{"CKA_LOCAL", with(good, pkcs11.CKA_LOCAL, true), 0x10},
		{"CKA_START_DATE", with(good, pkcs11.CKA_START_DATE, "20260101"), ckr.TemplateInconsistent},
		{"CKA_ALLOWED_MECHANISMS", with(good, pkcs11.CKA_ALLOWED_MECHANISMS, []byte{}), ckr.TemplateInconsistent},
		{"CKA_COPYABLE", with(good, 0x171, false), ckr.TemplateInconsistent},
	} {
		_, err := token.GenerateKey(session, aesGen(), test.template)
		wantRV(t, test.name, err, test.want)
	}
	for _, test := range []struct {
		name            string
		public, private []*pkcs11.Attribute
		want            ckr.RV
	}{
		{"a good pair", rsaPublic(2048), nil, ckr.OK},
		{"a short pair", rsaPublic(1024), nil, ckr.AttributeValueInvalid},
		{"a pair of an odd length", rsaPublic(2049), nil, ckr.AttributeValueInvalid},
		{"no length", rsaPublic(2048)[1:], nil, ckr.TemplateIncomplete},
		{"the length in the private template", rsaPublic(2048), rsaPublic(2048), ckr.TemplateInconsistent},
		{"a private key that can be read", rsaPublic(2048), []*pkcs11.Attribute{attribute(pkcs11.CKA_SENSITIVE, false)}, ckr.AttributeValueInvalid},
		{"CKA_SIGN_RECOVER", rsaPublic(2048), []*pkcs11.Attribute{attribute(pkcs11.CKA_SIGN_RECOVER, false)}, ckr.TemplateInconsistent},
	} {
		_, _, err := token.GenerateKeyPair(session, mechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN), test.public, test.private)
		wantRV(t, test.name, err, test.want)
	}
}

// What CloudHSM's keys are when nobody says anything, and what cannot be asked.
func TestCloudHSMAttributes(t *testing.T) {
	token, session := newCloudHSM(t)
	key, err := token.GenerateKey(session, aesGen(), []*pkcs11.Attribute{attribute(pkcs11.CKA_VALUE_LEN, 32)})
	token.must(err)
	_, private, err := token.GenerateKeyPair(session, mechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN), rsaPublic(2048), nil)
	token.must(err)
	for _, test := range []struct {
		name      string
		key       pkcs11.ObjectHandle
		attribute uint
		want      bool
	}{
		{"secret EXTRACTABLE", key, pkcs11.CKA_EXTRACTABLE, true},
		{"secret SENSITIVE", key, pkcs11.CKA_SENSITIVE, true},
		{"secret ENCRYPT", key, pkcs11.CKA_ENCRYPT, false},
		{"secret SIGN", key, pkcs11.CKA_SIGN, true},
		{"private EXTRACTABLE", private, pkcs11.CKA_EXTRACTABLE, true},
		{"private SIGN", private, pkcs11.CKA_SIGN, false},
		{"private DECRYPT", private, pkcs11.CKA_DECRYPT, false},
		{"private ALWAYS_SENSITIVE", private, pkcs11.CKA_ALWAYS_SENSITIVE, true},
	} {
		have, err := token.GetAttributeValue(session, test.key, []*pkcs11.Attribute{attribute(test.attribute, nil)})
		token.must(err)
		if got := have[0].Value[0] == 1; got != test.want {
			t.Errorf("%s is %t, want %t", test.name, got, test.want)
		}
	}
	for _, unreadable := range []uint{pkcs11.CKA_START_DATE, pkcs11.CKA_ALLOWED_MECHANISMS, pkcs11.CKA_ALWAYS_SENSITIVE} {
		_, err := token.GetAttributeValue(session, key, []*pkcs11.Attribute{attribute(pkcs11.CKA_CLASS, nil), attribute(unreadable, nil)})
		wantRV(t, "reading", err, ckr.AttributeTypeInvalid)
	}
}

// AES-GCM: the token's IV, limits, and not in parts.
func TestCloudHSMSealing(t *testing.T) {
	token, session := newCloudHSM(t)
	key := token.key(session, "key")
	begin := func(iv []byte) (*pkcs11.GCMParams, error) {
		params := pkcs11.NewGCMParams(iv, nil, 128)
		return params, token.EncryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, key)
	}
	zeros := make([]byte, 12)
	params, err := begin(zeros)
	token.must(err)
	sealed, err := token.Encrypt(session, []byte("plaintext"))
	token.must(err)
	if iv := params.IV(); bytes.Equal(iv, zeros) {
		t.Error("the IV is zero")
	} else if opened, err := token.open12(session, key, iv, sealed); err != nil || string(opened) != "plaintext" {
		t.Errorf("it is decrypted to %q, %v", opened, err)
	}
	_, err = begin(make([]byte, 16))
	wantRV(t, "an IV of 16 bytes", err, ckr.MechanismParamInvalid)
	_, err = begin(someIV)
	token.must(err)
	if all := calls(t); !slices.Contains(all[len(all)-1].Remarks, "iv-not-zero") {
		t.Errorf("no remark at %v", all[len(all)-1])
	}
	_, err = begin(zeros)
	wantRV(t, "a second C_EncryptInit", err, ckr.OperationActive)
	_, err = token.EncryptUpdate(session, []byte("part"))
	wantRV(t, "C_EncryptUpdate", err, ckr.MechanismInvalid)
	_, err = token.Encrypt(session, make([]byte, 16225))
	wantRV(t, "C_Encrypt of too much", err, ckr.DataLenRange)
	_, err = token.Encrypt(session, make([]byte, 16224))
	wantRV(t, "C_Encrypt of the most", err, ckr.OK)
	_, err = token.Encrypt(session, []byte("plaintext"))
	wantRV(t, "C_Encrypt without C_EncryptInit", err, ckr.OperationNotInitialized)
	if all := calls(t); !slices.Contains(all[len(all)-1].Remarks, "order") {
		t.Errorf("no remark at %v", all[len(all)-1])
	}
}

// CKM_RSA_AES_KEY_WRAP is done by the two mechanisms that SoftHSM has.
func TestCloudHSMUnwrapsTwice(t *testing.T) {
	token, session := newCloudHSM(t)
	public, private, err := token.GenerateKeyPair(session, mechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN), rsaPublic(2048),
		[]*pkcs11.Attribute{attribute(pkcs11.CKA_UNWRAP, true)})
	token.must(err)
	wrapping := with(with(without(aesTemplate("wrapping"), pkcs11.CKA_ID), pkcs11.CKA_WRAP, true), pkcs11.CKA_SENSITIVE, false)
	aes, err := token.GenerateKey(session, aesGen(), wrapping)
	token.must(err)
	inner, err := token.WrapKey(session, mechanism(ckmZeroPad), aes, token.key(session, "wrapped"))
	wantRV(t, "wrapping a key that may leave", err, ckr.OK)
	value, err := token.GetAttributeValue(session, aes, []*pkcs11.Attribute{attribute(pkcs11.CKA_VALUE, nil)})
	token.must(err)
	outer, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, token.publicKey(session, public), value[0].Value, nil)
	token.must(err)

	template := []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		attribute(pkcs11.CKA_ID, "unwrapped"), attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_DECRYPT, true),
	}
	key, err := token.unwrapTwice(session, private, append(outer, inner...), template)
	wantRV(t, "C_UnwrapKey", err, ckr.OK)
	if got := token.id(session, key); got != "unwrapped" {
		t.Errorf("the key is %q", got)
	}
	_, err = token.unwrapTwice(session, private, append(outer, 'x'), template)
	if err == nil {
		t.Error("nonsense was unwrapped")
	}
}

// publicKey reads an RSA key.
func (t *token) publicKey(s pkcs11.SessionHandle, h pkcs11.ObjectHandle) *rsa.PublicKey {
	t.tb.Helper()
	values, err := t.GetAttributeValue(s, h, []*pkcs11.Attribute{attribute(pkcs11.CKA_MODULUS, nil), attribute(pkcs11.CKA_PUBLIC_EXPONENT, nil)})
	t.must(err)
	return &rsa.PublicKey{N: new(big.Int).SetBytes(values[0].Value), E: int(new(big.Int).SetBytes(values[1].Value).Int64())}
}

// A share of the calls that need the HSM's work find it busy; opening sessions and
// logging in does not.
func TestCloudHSMBusy(t *testing.T) {
	token := newToken(t)
	set(t, faultp11.CloudHSM(), faultp11.CloudHSMBusy(1, 1))
	session := token.session()
	token.must(token.Login(session, pkcs11.CKU_USER, "user:"+userPIN))
	_, err := token.GenerateKey(session, aesGen(), aesTemplate("key"))
	wantRV(t, "C_GenerateKey", err, ckr.FunctionFailed)
	wantHits(t, "cloudhsm-busy", 1)
}

// unwrapTwice calls C_UnwrapKey by CKM_RSA_AES_KEY_WRAP with OAEP by SHA-1.
func (t *token) unwrapTwice(s pkcs11.SessionHandle, by pkcs11.ObjectHandle, wrapped []byte, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	var pinned runtime.Pinner
	defer pinned.Unpin()
	oaep := []uint{pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1, pkcs11.CKZ_DATA_SPECIFIED, 0, 0}
	pinned.Pin(unsafe.SliceData(oaep))
	params := binary.NativeEndian.AppendUint64(nil, 256)
	params = binary.NativeEndian.AppendUint64(params, uint64(uintptr(unsafe.Pointer(unsafe.SliceData(oaep)))))
	return t.UnwrapKey(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(ckmRSAAESKeyWrap, params)}, by, wrapped, template)
}
