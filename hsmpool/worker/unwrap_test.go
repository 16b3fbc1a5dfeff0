//go:build cgo

package worker

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// TestContinuedDigest: the digest of a message tells that of a longer one, if the length is
// known.
func TestContinuedDigest(t *testing.T) {
	for length := range 150 {
		message := bytes.Repeat([]byte{7}, length)
		state := sha256.Sum256(message)
		longer := append(message, sha256Padding(length)...)
		want := sha256.Sum256(longer)
		if got, err := continued(state[:], len(longer)); err != nil || !bytes.Equal(got, want[:]) {
			t.Errorf("%d bytes: %x, %v; want %x", length, got, err, want)
		}
		other := append(bytes.Repeat([]byte{7}, length), sha256Padding(length+1)...)
		if got := sha256.Sum256(other); bytes.Equal(got[:], want[:]) {
			t.Errorf("%d bytes pass for %d", length, length+1)
		}
	}
	if _, err := continued(make([]byte, 31), 64); err == nil {
		t.Error("a state of 31 bytes")
	}
	if _, err := continued(make([]byte, 32), 65); err == nil {
		t.Error("a state within a block")
	}
}

// TestLengthOfASecret proves lengths in a token that does not tell them.
func TestLengthOfASecret(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	for _, k := range []kind.KeyType{kind.HMAC224, kind.HMAC256, kind.HMAC384, kind.HMAC512} {
		s := mustSpec(t, k)
		for _, length := range []int{1, int(s.length) - 1, int(s.length), int(s.length) + 1, 200} {
			obj, err := token.objects.get(e.session, token.bring(t, make([]byte, length)))
			if err != nil {
				t.Fatal(err)
			}
			told, proved := e.checkLength(s, obj.handle), e.proveLength(s, obj.handle)
			if right := length == int(s.length); (told == nil) != right || (proved == nil) != right {
				t.Errorf("%s with %d bytes: told %v, proved %v", k, length, told, proved)
			}
		}
	}
}

// TestFingerprintOfAnAESKey is the same by Go's packages and in the token.
func TestFingerprintOfAnAESKey(t *testing.T) {
	token := newTestToken(t)
	key := bytes.Repeat([]byte{7}, 32)
	handle, err := token.token.create(token.manager.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_VALUE, key),
	}, unwrappingOf(t).call(false))
	if err != nil {
		t.Fatal(err)
	}
	want, err := aesFingerprint(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := token.manager.fingerprint(mustSpec(t, kind.AES256), handle); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v; want %x", got, err, want)
	}
}

func unwrappingOf(tb testing.TB) *unwrapping {
	tb.Helper()
	p, err := profileOf("softhsm")
	if err != nil {
		tb.Fatal(err)
	}
	d := designOf(tb, objectID{1}, kind.AES256, kind.Encrypt, p)
	d.imported = true
	return &unwrapping{design: d}
}

// TestImportedTemplates: a copy of the session is neither stored nor named, and otherwise the
// key that is kept; the length is nowhere, since tokens refuse it when they unwrap.
func TestImportedTemplates(t *testing.T) {
	u := unwrappingOf(t)
	kept, tried := map[uint]string{}, map[uint]string{}
	for _, a := range u.template() {
		kept[a.Type] = fmt.Sprintf("%x", a.Value)
	}
	for _, a := range u.sessionTemplate() {
		tried[a.Type] = fmt.Sprintf("%x", a.Value)
	}
	if kept[pkcs11.CKA_TOKEN] != "01" || tried[pkcs11.CKA_TOKEN] != "00" || kept[pkcs11.CKA_ID] == "" || kept[pkcs11.CKA_LABEL] == "" {
		t.Errorf("kept %v, tried %v", kept, tried)
	}
	for _, own := range []uint{pkcs11.CKA_TOKEN, pkcs11.CKA_ID, pkcs11.CKA_LABEL} {
		delete(kept, own)
		if own != pkcs11.CKA_TOKEN && tried[own] != "" {
			t.Errorf("the copy has attribute %#x", own)
		}
		delete(tried, own)
	}
	if fmt.Sprint(kept) != fmt.Sprint(tried) || kept[pkcs11.CKA_SENSITIVE] != "01" || kept[pkcs11.CKA_EXTRACTABLE] != "00" || kept[pkcs11.CKA_VALUE_LEN] != "" {
		t.Errorf("kept %v, tried %v", kept, tried)
	}
}

// TestNestedParameters are found through the pointer (CK_RSA_AES_KEY_WRAP_PARAMS).
func TestNestedParameters(t *testing.T) {
	m := mechanism{params: []uint{wrappingKeyBits}, nested: oaep(crypto.SHA256).params}
	var pinned runtime.Pinner
	defer pinned.Unpin()
	encoded := m.encode(&pinned)
	if len(encoded) != 16 || binary.NativeEndian.Uint64(encoded) != 256 {
		t.Fatalf("parameters %x", encoded)
	}
	if at := uint64(uintptr(unsafe.Pointer(&m.nested[0]))); binary.NativeEndian.Uint64(encoded[8:]) != at {
		t.Errorf("parameters %x, want a pointer to %x", encoded, at)
	}
	if got := (mechanism{}).encode(&pinned); got != nil {
		t.Errorf("no parameters: %x", got)
	}
}

// TestUniformUnwrap: before the padding was right nothing is told, afterwards words are.
func TestUniformUnwrap(t *testing.T) {
	byCode := callers(errors.New("unwrapping"))
	byCode.function, byCode.rv = "C_UnwrapKey", 0x5
	first := uniformUnwrap(byCode)
	for _, err := range []error{callers(errWrapped), callers(errCiphertext)} {
		if got := uniformUnwrap(err); got.Error() != first.Error() {
			t.Errorf("%v and %v differ", got, first)
		}
	}
	if got := uniformUnwrap(callers(errScalar)); got.Error() != errScalar.Error() {
		t.Errorf("%v, want words", got)
	}
	if other := internal(errors.New("other")); !errors.Is(uniformUnwrap(other), other) {
		t.Error("a fault that is not the caller's is changed")
	}
}
