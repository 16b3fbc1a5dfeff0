package hsmpool_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// imitateCloudHSM puts the imitation of CloudHSM's library between the token and the pools
// that are opened from now on. It accepts and refuses what AWS documents of it.
func (h *hsm) imitateCloudHSM(tb testing.TB) faults {
	tb.Helper()
	f := faults{faultp11.New(tb, softHSM)}
	f.put(tb, faultp11.CloudHSM())
	h.config.Library, h.config.Env = f.Path(), append(h.config.Env, f.Env()...)
	h.config.Profile, h.config.Sessions = "cloudhsm", 2
	h.config.Token = hsmpool.TokenSelector{Label: "hsm1"}
	h.config.PIN = hsmpool.PINSource{File: h.write(tb, "cloudhsm-pin", "kmsuser:"+userPIN+"\n")}
	return f
}

// TestCloudHSMCapabilities: what the self-test finds, and how it names what is missing. OAEP
// with SHA-256 and the length of an unwrapped secret are missing for SoftHSM's sake.
func TestCloudHSMCapabilities(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.imitateCloudHSM(t)
	all, err := h.open(t).Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	missing := map[hsmpool.Algorithm]string{
		hsmpool.ECDH:             "CKM_ECDH1_DERIVE: C_DeriveKey answers CKR_MECHANISM_PARAM_INVALID", // there is no CKD_NULL
		hsmpool.EdDSA:            "CKM_EC_EDWARDS_KEY_PAIR_GEN",
		hsmpool.EdDSAph:          "CKM_EC_EDWARDS_KEY_PAIR_GEN",
		hsmpool.WrapOAEPSHA1:     "C_DigestKey: CKR_FUNCTION_NOT_SUPPORTED",
		hsmpool.WrapOAEPSHA256:   "keeps key material out of the worker's memory",
		hsmpool.WrapRSAAESSHA1:   "CKM_RSA_AES_KEY_WRAP: C_DigestKey: CKR_FUNCTION_NOT_SUPPORTED",
		hsmpool.WrapRSAAESSHA256: "CKM_RSA_AES_KEY_WRAP: C_UnwrapKey answers",
	}
	found := 0
	for _, c := range all {
		want := missing[c.Algorithm]
		if c.Algorithm == hsmpool.KeyPair {
			if c.Mechanism != "CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD" {
				t.Errorf("%s: a pair is wrapped by %s", c.Type, c.Mechanism)
			}
			if c.Type == hsmpool.Ed25519 {
				want = missing[hsmpool.EdDSA]
			}
		}
		if (c.Missing == "") != (want == "") || !strings.Contains(c.Missing, want) {
			t.Errorf("%+v: want it missing for %q", c, want)
		}
		if c.Missing == "" {
			found++
		}
	}
	if found < 30 {
		t.Errorf("only %d of %d can be done", found, len(all))
	}
}

// TestCloudHSMKeys makes, uses, lists and destroys every kind of key that CloudHSM has.
func TestCloudHSMKeys(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.imitateCloudHSM(t)
	pool := h.open(t)
	for _, test := range []struct {
		key  hsmpool.KeyType
		use  hsmpool.Use
		does func(testing.TB, *hsmpool.Pool, hsmpool.ObjectID, []byte)
	}{
		{hsmpool.AES256, hsmpool.Encrypt, sealsAndOpens},
		{hsmpool.HMAC256, hsmpool.MAC, macs},
		{hsmpool.RSA2048, hsmpool.Encrypt, decrypts},
		{hsmpool.RSA2048, hsmpool.Sign, signsBy(hsmpool.RSA2048, hsmpool.PSSSHA256)},
		{hsmpool.P256, hsmpool.Sign, signsBy(hsmpool.P256, hsmpool.ECDSASHA256)},
		{hsmpool.P384, hsmpool.Sign, signsBy(hsmpool.P384, hsmpool.ECDSASHA384)},
		{hsmpool.P521, hsmpool.Sign, signsBy(hsmpool.P521, hsmpool.ECDSASHA512)},
		{hsmpool.Secp256k1, hsmpool.Sign, signsBy(hsmpool.Secp256k1, hsmpool.ECDSASHA256)},
	} {
		id, spki := generateKey(t, pool, test.key, test.use)
		test.does(t, pool, id, spki)
		if objects := list(t, pool); len(objects) != 1 {
			t.Errorf("%s: in the token: %q", test.key, objects)
		}
		if _, err := pool.Destroy(t.Context(), id); err != nil {
			t.Errorf("%s: Destroy: %v", test.key, err)
		}
	}
	if _, err := pool.GeneratePair(t.Context(), hsmpool.P256); err != nil {
		t.Errorf("a pair that is handed out: %v", err)
	}
	for _, impossible := range []hsmpool.GenerateRequest{
		{ID: newID(), Label: "l", Type: hsmpool.P256, Use: hsmpool.Agree},
		{ID: newID(), Label: "l", Type: hsmpool.Ed25519, Use: hsmpool.Sign},
	} {
		_, err := pool.Generate(t.Context(), impossible)
		wantClass(t, err, hsmpool.Unsupported)
	}
	if objects := list(t, pool); len(objects) != 0 || pool.Describe()[0].Restarts != 0 {
		t.Errorf("left in the token: %q; %+v", objects, pool.Describe()[0])
	}
	fault.wantOrderly(t)
}

// wantOrderly fails the test if CloudHSM would have objected to a template or to the order
// of calls, been given an IV, or been asked for what it does not know.
func (f faults) wantOrderly(tb testing.TB) {
	tb.Helper()
	calls, err := f.Calls()
	if err != nil || len(calls) == 0 {
		tb.Fatalf("%d calls, %v", len(calls), err)
	}
	refused := []ckr.RV{
		ckr.TemplateInconsistent, ckr.TemplateIncomplete, ckr.AttributeTypeInvalid, ckr.AttributeValueInvalid, ckr.AttributeReadOnly, ckr.MechanismInvalid,
	}
	for _, c := range calls {
		for _, remark := range []string{"iv-not-zero", "order", "two-threads"} {
			if slices.Contains(c.Remarks, remark) {
				tb.Errorf("%s: %s", c.Function, remark)
			}
		}
		if slices.Contains(refused, c.RV) && c.Function != "C_GetMechanismInfo" {
			tb.Errorf("%s: %s", c.Function, c.RV)
		}
	}
}

// TestOrphanOfARefusedTemplate has the token refuse the attributes of a key and make it all
// the same, as CloudHSM does: the key is found and destroyed.
func TestOrphanOfARefusedTemplate(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.imitateCloudHSM(t)
	pool := h.open(t)
	for _, test := range []struct {
		function string
		key      hsmpool.KeyType
		use      hsmpool.Use
		rv       ckr.RV
	}{
		{"C_GenerateKey", hsmpool.AES256, hsmpool.Encrypt, ckr.AttributeValueInvalid},
		{"C_GenerateKeyPair", hsmpool.P256, hsmpool.Sign, ckr.AttributeTypeInvalid},
	} {
		first, _ := generateKey(t, pool, test.key, test.use) // and with it the self-test, which makes keys too
		if _, err := pool.Destroy(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		fault.put(t, faultp11.Fail(test.function, test.rv).Kept().Times(1))
		_, err := pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newID(), Label: "l", Type: test.key, Use: test.use})
		if e := hsmError(t, err, hsmpool.Unsupported); e.RV != uint32(test.rv) || e.Hint == "" {
			t.Errorf("%s: %v", test.function, e)
		}
		if objects := list(t, pool); fault.Hits(test.function) != 1 || len(objects) != 0 {
			t.Errorf("%s: %d faults; left in the token: %q", test.function, fault.Hits(test.function), objects)
		}
	}
	if s := pool.Describe()[0]; s.Restarts != 0 {
		t.Errorf("%d restarts for a refused template", s.Restarts)
	}
}

// TestBusyCloudHSM: what a busy HSM answers is told as busy, never as the caller's fault, and
// replaces no worker.
func TestBusyCloudHSM(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.imitateCloudHSM(t)
	pool := h.open(t)
	id := generate(t, pool)
	sealed, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil)
	if err != nil {
		t.Fatal(err)
	}
	busy := 0
	for _, rv := range []ckr.RV{ckr.FunctionFailed, ckr.OperationActive} {
		fault.put(t, faultp11.Fail("C_Decrypt", rv).Share(0.7, 1))
		for range 50 {
			opened, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, nil)
			if err == nil {
				if string(opened.Plaintext) != "plaintext" {
					t.Errorf("%v: opened %q", rv, opened.Plaintext)
				}
				continue
			}
			wantClass(t, err, hsmpool.Busy)
			busy++
		}
	}
	fault.clear(t, "C_Decrypt")
	fault.put(t, faultp11.Fail("C_GenerateRandom", ckr.FunctionFailed).Times(1)) // as during a backup
	if _, _, err := pool.Random(t.Context(), 16); err != nil {
		wantClass(t, err, hsmpool.Busy)
	}
	if s := pool.Describe()[0]; busy == 0 || s.Restarts != 0 {
		t.Errorf("busy %d times, %d restarts", busy, s.Restarts)
	}
}

// sealsAndOpens also shows that the IV is the token's.
func sealsAndOpens(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, _ []byte) {
	tb.Helper()
	var ivs [][12]byte
	for _, size := range []int{0, 1, 4096} {
		want := random(size)
		sealed, err := pool.Seal(tb.Context(), id, bytes.Clone(want), []byte("aad"))
		if err != nil {
			tb.Fatal(err)
		}
		opened, err := pool.Open(tb.Context(), id, sealed.IV[:], sealed.Ciphertext, []byte("aad"))
		if err != nil || !bytes.Equal(opened.Plaintext, want) {
			tb.Errorf("%d bytes do not open: %v", size, err)
		}
		if sealed.IV == [12]byte{} || slices.Contains(ivs, sealed.IV) {
			tb.Errorf("IV %x", sealed.IV)
		}
		ivs = append(ivs, sealed.IV)
	}
}

func macs(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, _ []byte) {
	tb.Helper()
	if made, err := pool.MAC(tb.Context(), id, hsmpool.HMACSHA256, make([]byte, 4096)); err != nil || len(made.MAC) != 32 {
		tb.Errorf("MAC: %v", err)
	}
}

func decrypts(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, spki []byte) {
	tb.Helper()
	key := parse[*rsa.PublicKey](tb, spki)
	for algorithm, hash := range map[hsmpool.Algorithm]crypto.Hash{hsmpool.OAEPSHA1: crypto.SHA1, hsmpool.OAEPSHA256: crypto.SHA256} {
		opened, err := pool.DecryptOAEP(tb.Context(), id, algorithm, encrypt(tb, key, hash, []byte("message")))
		if err != nil || string(opened.Plaintext) != "message" {
			tb.Errorf("%s: %v", algorithm, err)
		}
	}
}

func signsBy(k hsmpool.KeyType, a hsmpool.Algorithm) func(testing.TB, *hsmpool.Pool, hsmpool.ObjectID, []byte) {
	return func(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, spki []byte) {
		tb.Helper()
		signed, err := pool.Sign(tb.Context(), id, a, digest(hashOf(a), []byte("message")))
		if err != nil {
			tb.Fatal(err)
		}
		if err := verify(tb, k, a, spki, []byte("message"), signed.Signature); err != nil {
			tb.Errorf("%s: %v", a, err)
		}
	}
}
