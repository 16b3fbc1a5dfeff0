package hsmpool_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestKeysOfEveryKind looks at keys of each type and use with another program: they do one
// thing and never leave the token, and of a pair only the private key is there.
func TestKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	for _, test := range []struct {
		key   hsmpool.KeyType
		use   hsmpool.Use
		kind  string // as pkcs11-tool prints it
		usage string // likewise; of secrets it does not print all
	}{
		{hsmpool.AES256, hsmpool.Encrypt, "Secret Key Object; AES length 32", "encrypt, decrypt"},
		{hsmpool.HMAC224, hsmpool.MAC, "Secret Key Object; Generic secret length 28", "none"},
		{hsmpool.HMAC256, hsmpool.MAC, "Secret Key Object; Generic secret length 32", "none"},
		{hsmpool.HMAC384, hsmpool.MAC, "Secret Key Object; Generic secret length 48", "none"},
		{hsmpool.HMAC512, hsmpool.MAC, "Secret Key Object; Generic secret length 64", "none"},
		{hsmpool.RSA2048, hsmpool.Encrypt, "Private Key Object; RSA", "decrypt"},
		{hsmpool.RSA2048, hsmpool.Sign, "Private Key Object; RSA", "sign"},
		{hsmpool.P256, hsmpool.Sign, "Private Key Object; EC", "sign"},
		{hsmpool.P384, hsmpool.Sign, "Private Key Object; EC", "sign"},
		{hsmpool.P521, hsmpool.Sign, "Private Key Object; EC", "sign"},
		{hsmpool.P256, hsmpool.Agree, "Private Key Object; EC", "derive"},
		{hsmpool.Secp256k1, hsmpool.Sign, "Private Key Object; EC", "sign"},
		{hsmpool.Ed25519, hsmpool.Sign, "Private Key Object; EC_EDWARDS", "sign"},
	} {
		id, _ := generateKey(t, pool, test.key, test.use)
		got := h.described(t, id)
		want := []string{
			test.kind, "label:      arn:test:" + id.String(), "ID:         " + id.String(), "Usage:      " + test.usage,
			"Access:     sensitive, always sensitive, never extractable, local",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s to %s (-want +got):\n%s", test.key, test.use, diff)
		}
	}
	if out := h.pkcs11Tool(t, "--list-objects", "--type", "pubkey"); strings.Contains(out, "Object") {
		t.Errorf("the token keeps public keys:\n%s", out)
	}
}

// described is what pkcs11-tool prints of the objects of an id.
func (h *hsm) described(tb testing.TB, id hsmpool.ObjectID) (all []string) {
	tb.Helper()
	var one []string
	for line := range strings.Lines(h.pkcs11Tool(tb, "--list-objects") + "Object") {
		if strings.Contains(line, "Object") {
			if strings.Contains(strings.Join(one, "\n"), id.String()) {
				all = append(all, one...)
			}
			one = nil
		}
		one = append(one, strings.TrimSpace(line))
	}
	return all
}

// TestLifeOfAPair makes, uses and destroys a key pair, also after a restart.
func TestLifeOfAPair(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := h.journal.len()
	ctx := hsmpool.WithRequestID(t.Context(), "request-1")
	id := newID()
	made, err := pool.Generate(ctx, hsmpool.GenerateRequest{ID: id, Label: "label-1", Type: hsmpool.P256, Use: hsmpool.Sign})
	if err != nil {
		t.Fatal(err)
	}
	if made.Trace.Function != "C_GenerateKeyPair" || pool.Describe()[0].Keys != 1 {
		t.Errorf("trace %+v, %d keys", made.Trace, pool.Describe()[0].Keys)
	}
	closePool(t, pool)
	pool = h.open(t)
	signed, err := pool.Sign(ctx, id, hsmpool.ECDSASHA256, digest(hashOf(hsmpool.ECDSASHA256), []byte("message")))
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(t, hsmpool.P256, hsmpool.ECDSASHA256, made.PublicKey, []byte("message"), signed.Signature); err != nil {
		t.Error(err)
	}
	if _, err := pool.Destroy(ctx, id); err != nil {
		t.Fatal(err)
	}
	_, err = pool.Sign(ctx, id, hsmpool.ECDSASHA256, make([]byte, 32))
	wantClass(t, err, hsmpool.ObjectMissing)
	_, err = pool.Destroy(ctx, id)
	wantClass(t, err, hsmpool.ObjectMissing)

	entries := h.journal.since(before)
	want := []string{"C_GenerateKeyPair", "C_DestroyObject", "C_Logout", "C_Finalize", "Boot", "C_Initialize", "C_Login", "C_DestroyObject"}
	if diff := cmp.Diff(want, lines(entries)); diff != "" {
		t.Fatalf("HSM entries (-want +got):\n%s", diff)
	}
	generated, public, private := entries[0], entries[1], entries[7]
	if generated.PublicHandle == 0 || public.PrivateHandle != generated.PublicHandle || public.TokenObject || !private.TokenObject {
		t.Errorf("entries of the generation %+v, of the public key %+v, of the private key %+v", generated, public, private)
	}
	for _, e := range entries {
		if e.PrivateHandle != 0 && (e.KeyLabel != "label-1" || e.KeyID != id.String() || e.RequestID != "request-1") {
			t.Errorf("entry without its details: %+v", e)
		}
	}
}

// TestDestroyTakesEveryObject of the id, whoever made it.
func TestDestroyTakesEveryObject(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Sign)
	h.pkcs11Tool(t, "--keypairgen", "--key-type=EC:prime256v1", "--label", "another", "--id", id.String())
	if _, err := pool.Destroy(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if out := h.pkcs11Tool(t, "--list-objects"); strings.Contains(out, "Object") {
		t.Errorf("left in the token:\n%s", out)
	}
}

// TestFailedPairGenerationLeavesNothing has a token make the pair and say that it failed,
// or fail at what comes after.
func TestFailedPairGenerationLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		function string
		class    hsmpool.Class
		rv       ckr.RV
	}{
		{"C_GenerateKeyPair", hsmpool.Unsupported, ckr.AttributeValueInvalid},
		{"C_GenerateKeyPair", hsmpool.Unavailable, ckr.GeneralError},
		{"C_GetAttributeValue", hsmpool.Unavailable, ckr.GeneralError},
		{"C_DestroyObject", hsmpool.Unavailable, ckr.FunctionFailed},
	} {
		id := newID()
		fault.put(t, faultp11.Fail(test.function, test.rv).Kept().Times(1))
		_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: id, Label: "orphan", Type: hsmpool.P256, Use: hsmpool.Sign})
		wantClass(t, err, test.class)
		if fault.Seen(test.function) == 0 {
			t.Errorf("%s was not called", test.function)
		}
		fault.clear(t, test.function)
		eventually(t, "the orphan is gone", func() bool { return !strings.Contains(h.pkcs11Tool(t, "--list-objects"), "Object") })
	}
}

// TestUnsupported: what the token lacks is named, and the token is not asked to do it.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	fault.put(t, faultp11.Fail("C_DeriveKey", ckr.MechanismInvalid))
	pool := h.open(t)
	all, err := pool.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]string{}
	for _, c := range all {
		if c.Missing != "" {
			missing[c.Type.String()+" "+string(c.Algorithm)] = c.Missing
		}
		if (c.Missing == "") != (c.Means != "") || c.Mechanism == "" {
			t.Errorf("capability %+v", c)
		}
	}
	const derive = "CKM_ECDH1_DERIVE: C_DeriveKey answers CKR_MECHANISM_INVALID"
	want := map[string]string{
		"P-256 ECDH": derive, "P-384 ECDH": derive, "P-521 ECDH": derive,
		"Ed25519 Ed25519ph": "CKM_EDDSA: the token's answer is wrong",
		"Ed25519 KEY-PAIR":  "CKM_AES_KEY_WRAP_PAD: C_WrapKey answers CKR_KEY_NOT_WRAPPABLE",
	}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	before := h.journal.len()
	for what, do := range map[string]func() error{
		derive: func() error {
			_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newID(), Label: "x", Type: hsmpool.P256, Use: hsmpool.Agree})
			return err
		},
		"CKR_KEY_NOT_WRAPPABLE": func() error { _, err := pool.GeneratePair(t.Context(), hsmpool.Ed25519); return err },
		"no HSM does that": func() error {
			_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newID(), Label: "x", Type: hsmpool.AES256, Use: hsmpool.Sign})
			return err
		},
	} {
		err := do()
		if wantClass(t, err, hsmpool.Unsupported); !strings.Contains(err.Error(), what) {
			t.Errorf("%v does not say %q", err, what)
		}
	}
	if entries := h.journal.since(before); len(entries) != 0 {
		t.Errorf("the token was asked: %q", lines(entries))
	}
}

// TestNoKeyMaterialIsBrought: nothing made here ever passes C_CreateObject. The self-test,
// which imports keys, comes before.
func TestNoKeyMaterialIsBrought(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	watched := []string{"C_CreateObject", "C_CopyObject", "C_UnwrapKey"}
	asked := []string{"C_GenerateKey", "C_GenerateKeyPair", "C_Sign", "C_Decrypt", "C_DeriveKey", "C_WrapKey"}
	pool := h.open(t)
	if _, err := pool.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, function := range append(watched, asked...) {
		fault.put(t, faultp11.Watch(function))
	}
	useEverything(t, pool)
	closePool(t, pool)
	for _, function := range watched {
		if n := fault.Seen(function); n != 0 {
			t.Errorf("%s was called %d times", function, n)
		}
	}
	for _, function := range asked {
		if fault.Seen(function) == 0 {
			t.Errorf("%s was not seen", function)
		}
	}
}

// useEverything makes keys and uses them in every way.
func useEverything(tb testing.TB, pool *hsmpool.Pool) {
	tb.Helper()
	mac, _ := generateKey(tb, pool, hsmpool.HMAC256, hsmpool.MAC)
	sign, _ := generateKey(tb, pool, hsmpool.P256, hsmpool.Sign)
	agree, spki := generateKey(tb, pool, hsmpool.P256, hsmpool.Agree)
	decrypt, _ := generateKey(tb, pool, hsmpool.RSA2048, hsmpool.Encrypt)
	_, macErr := pool.MAC(tb.Context(), mac, hsmpool.HMACSHA256, []byte("message"))
	_, signErr := pool.Sign(tb.Context(), sign, hsmpool.ECDSASHA256, make([]byte, 32))
	_, agreeErr := pool.Agree(tb.Context(), agree, spki) // with itself
	_, decryptErr := pool.DecryptOAEP(tb.Context(), decrypt, hsmpool.OAEPSHA256, make([]byte, 256))
	wantClass(tb, decryptErr, hsmpool.Caller)
	_, pairErr := pool.GeneratePair(tb.Context(), hsmpool.P256)
	for _, err := range []error{macErr, signErr, agreeErr, pairErr} {
		if err != nil {
			tb.Error(err)
		}
	}
}
