//go:build cgo

package worker

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// keyBytes is the length of an AES-256 key.
const keyBytes = 32

// want is an attribute that a key made here has.
type want struct {
	name  string
	kind  uint
	value any
	// given: it is in the template. The others only the token can set.
	given bool
}

// wants are the attributes of a key for encryption and decryption that never leaves
// the token. Every usage is named, the unwanted ones as false: tokens differ in what
// they grant when nothing is said.
func wants(id objectID, label string) []want {
	return []want{
		{"CKA_CLASS", pkcs11.CKA_CLASS, uint(pkcs11.CKO_SECRET_KEY), true},
		{"CKA_KEY_TYPE", pkcs11.CKA_KEY_TYPE, uint(pkcs11.CKK_AES), true},
		{"CKA_VALUE_LEN", pkcs11.CKA_VALUE_LEN, uint(keyBytes), true},
		{"CKA_ID", pkcs11.CKA_ID, id[:], true},
		{"CKA_LABEL", pkcs11.CKA_LABEL, label, true},
		{"CKA_TOKEN", pkcs11.CKA_TOKEN, true, true},
		{"CKA_PRIVATE", pkcs11.CKA_PRIVATE, true, true},
		{"CKA_SENSITIVE", pkcs11.CKA_SENSITIVE, true, true},
		{"CKA_EXTRACTABLE", pkcs11.CKA_EXTRACTABLE, false, true},
		{"CKA_ENCRYPT", pkcs11.CKA_ENCRYPT, true, true},
		{"CKA_DECRYPT", pkcs11.CKA_DECRYPT, true, true},
		{"CKA_SIGN", pkcs11.CKA_SIGN, false, true},
		{"CKA_VERIFY", pkcs11.CKA_VERIFY, false, true},
		{"CKA_WRAP", pkcs11.CKA_WRAP, false, true},
		{"CKA_UNWRAP", pkcs11.CKA_UNWRAP, false, true},
		{"CKA_DERIVE", pkcs11.CKA_DERIVE, false, true},
		{"CKA_ALWAYS_SENSITIVE", pkcs11.CKA_ALWAYS_SENSITIVE, true, false},
		{"CKA_NEVER_EXTRACTABLE", pkcs11.CKA_NEVER_EXTRACTABLE, true, false},
		{"CKA_LOCAL", pkcs11.CKA_LOCAL, true, false},
	}
}

// template is what C_GenerateKey is given.
func template(id objectID, label string) []*pkcs11.Attribute {
	var t []*pkcs11.Attribute
	for _, w := range wants(id, label) {
		if w.given {
			t = append(t, pkcs11.NewAttribute(w.kind, w.value))
		}
	}
	return t
}

// asked is what C_GetAttributeValue is given to read all of them back.
func asked() []*pkcs11.Attribute {
	var t []*pkcs11.Attribute
	for _, w := range wants(objectID{}, "") {
		t = append(t, pkcs11.NewAttribute(w.kind, nil))
	}
	return t
}

// differences says which of the attributes read back are not as wanted; "" if all are.
func differences(have []*pkcs11.Attribute, id objectID, label string) string {
	var wrong []string
	for i, w := range wants(id, label) {
		value := pkcs11.NewAttribute(w.kind, w.value).Value
		switch {
		case i >= len(have) || have[i].Type != w.kind:
			wrong = append(wrong, w.name+" is missing")
		case !bytes.Equal(have[i].Value, value):
			wrong = append(wrong, fmt.Sprintf("%s is %x, not %x", w.name, have[i].Value, value))
		}
	}
	return strings.Join(wrong, ", ")
}
