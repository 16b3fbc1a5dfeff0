//go:build cgo

package worker

import (
	"bytes"
	"slices"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// usages are all that PKCS#11 knows.
func usages() map[string]uint {
	return map[string]uint{
		"encrypt": pkcs11.CKA_ENCRYPT, "decrypt": pkcs11.CKA_DECRYPT, "sign": pkcs11.CKA_SIGN, "sign-recover": pkcs11.CKA_SIGN_RECOVER,
		"verify": pkcs11.CKA_VERIFY, "wrap": pkcs11.CKA_WRAP, "unwrap": pkcs11.CKA_UNWRAP, "derive": pkcs11.CKA_DERIVE,
	}
}

// TestUsagesOfEveryKind reads what keys may do on a session of its own.
func TestUsagesOfEveryKind(t *testing.T) {
	token := newTestToken(t)
	session, err := token.token.openSession()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key  kind.KeyType
		use  kind.Use
		want []string
	}{
		{kind.AES256, kind.Encrypt, []string{"decrypt", "encrypt"}},
		{kind.HMAC224, kind.MAC, []string{"sign"}},
		{kind.HMAC512, kind.MAC, []string{"sign"}},
		{kind.RSA2048, kind.Encrypt, []string{"decrypt"}},
		{kind.RSA2048, kind.Sign, []string{"sign"}},
		{kind.RSA2048, kind.Unwrap, []string{"decrypt", "unwrap"}}, // SoftHSM needs the worker's help
		{kind.P384, kind.Sign, []string{"sign"}},
		{kind.P384, kind.Agree, []string{"derive"}},
		{kind.Secp256k1, kind.Sign, []string{"sign"}},
		{kind.Ed25519, kind.Sign, []string{"sign"}},
	} {
		id := objectID{byte(test.key), byte(test.use)}
		request := &workerv1.GenerateRequest{ObjectId: id[:], Label: "label", KeyType: uint32(test.key), Use: uint32(test.use)}
		if _, _, err := token.manager.generate(request, "request"); err != nil {
			t.Fatalf("%s to %s: %v", test.key, test.use, err)
		}
		handle := token.objects.known(id).handle
		var got []string
		for name, usage := range usages() {
			attrs, err := token.token.ctx.GetAttributeValue(session, handle, []*pkcs11.Attribute{pkcs11.NewAttribute(usage, nil)})
			if err == nil && bytes.Equal(attrs[0].Value, []byte{1}) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s to %s: may %q, want %q", test.key, test.use, got, test.want)
		}
		if _, err := token.token.ctx.GetAttributeValue(session, handle, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)}); err == nil {
			t.Errorf("%s to %s: its value can be read", test.key, test.use)
		}
	}
}

// TestTemplatesNameEveryUsage: nothing is left to a token's taste.
func TestTemplatesNameEveryUsage(t *testing.T) {
	secret := []string{"encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive"}
	private := []string{"decrypt", "sign", "unwrap", "derive"}
	for _, test := range []struct {
		profile string
		key     kind.KeyType
		want    []string
	}{
		{"softhsm", kind.AES256, secret},
		{"cloudhsm", kind.HMAC256, secret},
		{"pkcs11", kind.RSA2048, append(private, "sign-recover")},
		{"cloudhsm", kind.RSA2048, private}, // which knows no recovery
		{"pkcs11", kind.Ed25519, append(private, "sign-recover")},
	} {
		profile, err := profileOf(test.profile)
		if err != nil {
			t.Fatal(err)
		}
		given := map[uint]bool{}
		for _, a := range designOf(t, objectID{}, test.key, kind.Sign, profile).template() {
			given[a.Type] = true
		}
		for _, must := range []uint{pkcs11.CKA_TOKEN, pkcs11.CKA_PRIVATE, pkcs11.CKA_SENSITIVE, pkcs11.CKA_EXTRACTABLE, pkcs11.CKA_ID, pkcs11.CKA_LABEL} {
			if !given[must] {
				t.Errorf("%s, %s: attribute 0x%x is left to the token", test.profile, test.key, must)
			}
		}
		for name, usage := range usages() {
			if given[usage] != slices.Contains(test.want, name) {
				t.Errorf("%s, %s: usage %s given: %t", test.profile, test.key, name, given[usage])
			}
		}
		// CloudHSM refuses the first three in a template, and makes the key all the same; with
		// the last two it makes one that cannot be used.
		for _, refused := range []uint{
			pkcs11.CKA_ALWAYS_SENSITIVE, pkcs11.CKA_NEVER_EXTRACTABLE, pkcs11.CKA_LOCAL,
			pkcs11.CKA_START_DATE, pkcs11.CKA_COPYABLE, pkcs11.CKA_MODULUS_BITS, pkcs11.CKA_PUBLIC_EXPONENT,
		} {
			if given[refused] {
				t.Errorf("%s, %s: attribute 0x%x is in the template", test.profile, test.key, refused)
			}
		}
	}
}

// TestWorkerMemoryIsOffElsewhere: a key that unwraps may decrypt in one profile only.
func TestWorkerMemoryIsOffElsewhere(t *testing.T) {
	for name, want := range map[string]bool{"softhsm": true, "cloudhsm": false, "pkcs11": false} {
		profile, err := profileOf(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range designOf(t, objectID{}, kind.RSA2048, kind.Unwrap, profile).wants() {
			if w.kind == pkcs11.CKA_DECRYPT && w.value != want {
				t.Errorf("%s: a key that unwraps may decrypt: %v", name, w.value)
			}
		}
	}
}
