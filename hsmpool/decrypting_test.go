package hsmpool_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // OAEP by SHA-1
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// oaepHashes are the algorithms that decrypt: one that SoftHSM knows, and one that it does
// not, so that the worker takes the padding off.
func oaepHashes() map[hsmpool.Algorithm]crypto.Hash {
	return map[hsmpool.Algorithm]crypto.Hash{hsmpool.OAEPSHA1: crypto.SHA1, hsmpool.OAEPSHA256: crypto.SHA256}
}

func encrypt(tb testing.TB, key *rsa.PublicKey, hash crypto.Hash, message []byte) []byte {
	tb.Helper()
	ciphertext, err := rsa.EncryptOAEP(hash.New(), rand.Reader, key, message, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return ciphertext
}

// TestDecryptOAEP decrypts what Go's package encrypted, of every length.
func TestDecryptOAEP(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	id, spki := generateKey(t, pool, hsmpool.RSA2048, hsmpool.Encrypt)
	key := parse[*rsa.PublicKey](t, spki)
	means := map[hsmpool.Algorithm]string{hsmpool.OAEPSHA1: hsmpool.MeansToken, hsmpool.OAEPSHA256: hsmpool.MeansTokenAndWorker}
	for a, hash := range oaepHashes() {
		if c := capability(t, pool, hsmpool.RSA2048, a); c.Means != means[a] || c.Mechanism != "CKM_RSA_PKCS_OAEP" {
			t.Errorf("%s: %+v", a, c)
		}
		longest := key.Size() - 2*hash.Size() - 2
		for _, size := range []int{0, 1, 32, longest - 1, longest} {
			message := bytes.Repeat([]byte{1}, size)
			opened, err := pool.DecryptOAEP(t.Context(), id, a, encrypt(t, key, hash, message))
			if err != nil || opened.Plaintext == nil || !bytes.Equal(opened.Plaintext, message) {
				t.Errorf("%s, %d bytes: %x, %v", a, size, opened.Plaintext, err)
			}
			if opened.Trace.Function != "C_Decrypt" || opened.Trace.RV != 0 {
				t.Errorf("%s: trace %+v", a, opened.Trace)
			}
		}
	}
}

// capability returns what the token can do by an algorithm.
func capability(tb testing.TB, pool *hsmpool.Pool, t hsmpool.KeyType, a hsmpool.Algorithm) hsmpool.Capability {
	tb.Helper()
	all, err := pool.Capabilities(tb.Context())
	at := slices.IndexFunc(all, func(c hsmpool.Capability) bool { return c.Type == t && c.Algorithm == a })
	if err != nil || at < 0 {
		tb.Fatalf("%s by %s keys: %v", a, t, err)
	}
	return all[at]
}

// TestBadCiphertextsLookAlike: whatever is wrong with a ciphertext, the answer does not
// tell.
func TestBadCiphertextsLookAlike(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	id, spki := generateKey(t, pool, hsmpool.RSA2048, hsmpool.Encrypt)
	key := parse[*rsa.PublicKey](t, spki)
	for a, hash := range oaepHashes() {
		good := encrypt(t, key, hash, []byte("message"))
		other := encrypt(t, key, crypto.SHA512, []byte("message"))
		labelled, err := rsa.EncryptOAEP(hash.New(), rand.Reader, key, []byte("message"), []byte("label"))
		if err != nil {
			t.Fatal(err)
		}
		altered := slices.Clone(good)
		altered[len(altered)-1] ^= 1
		bad := map[string][]byte{
			"empty":                     nil,
			"short":                     good[1:],
			"long":                      append([]byte{0}, good...),
			"zero":                      make([]byte, 256),
			"the modulus":               key.N.Bytes(),
			"beyond the modulus":        bytes.Repeat([]byte{0xff}, 256),
			"altered":                   altered,
			"another hash":              other,
			"a label":                   labelled,
			"a first byte of one":       raw(key, append([]byte{1}, make([]byte, 255)...)),
			"PKCS #1 v1.5":              raw(key, slices.Concat([]byte{0, 2}, bytes.Repeat([]byte{9}, 253), []byte{0})),
			"no separator":              raw(key, encode(hash, 256, make([]byte, 256-2*hash.Size()-1), 0)),
			"a bad byte of the padding": raw(key, encode(hash, 256, []byte{0, 2, 1, 7}, 0)),
			"the hash of another label": raw(key, encode(hash, 256, []byte{0, 0, 1, 7}, 1)),
		}
		var first *hsmpool.Error
		for name, ciphertext := range bad {
			opened, err := pool.DecryptOAEP(t.Context(), id, a, ciphertext)
			e := hsmError(t, err, hsmpool.Caller)
			if first == nil {
				first = e
			}
			if diff := cmp.Diff(first.Error(), e.Error()); diff != "" || e.Function != first.Function || e.RV != first.RV || opened.Plaintext != nil {
				t.Errorf("%s, %s: another answer (-want +got):\n%s", a, name, diff)
			}
			trace := opened.Trace
			trace.Waited, trace.Took = 0, 0
			if want := (hsmpool.Trace{HSM: e.HSM, Function: "C_Decrypt", RV: uint32(ckr.EncryptedDataInvalid)}); trace != want {
				t.Errorf("%s, %s: trace %+v, want %+v", a, name, trace, want)
			}
		}
		if opened, err := pool.DecryptOAEP(t.Context(), id, a, good); err != nil || string(opened.Plaintext) != "message" {
			t.Errorf("%s: a good ciphertext after the bad ones: %q, %v", a, opened.Plaintext, err)
		}
	}
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts for a caller's faults", got)
	}
}

// raw encrypts a block without padding.
func raw(key *rsa.PublicKey, block []byte) []byte {
	c := new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(key.E)), key.N)
	return c.FillBytes(make([]byte, key.Size()))
}

// encode is OAEP with anything at the end of the data block, and with a hash of the label
// that is wrong by so much.
func encode(hash crypto.Hash, size int, end []byte, wrong byte) []byte {
	block := make([]byte, size)
	seed, data := block[1:1+hash.Size()], block[1+hash.Size():]
	_, _ = rand.Read(seed) // never fails
	copy(data, hash.New().Sum(nil))
	data[0] ^= wrong
	copy(data[len(data)-min(len(end), len(data)-hash.Size()):], end)
	mask(data, seed, hash)
	mask(seed, data, hash)
	return block
}

// mask adds MGF1.
func mask(out, seed []byte, hash crypto.Hash) {
	for at := range out {
		h := hash.New()
		h.Write(seed)
		h.Write([]byte{0, 0, 0, byte(at / hash.Size())})
		out[at] ^= h.Sum(nil)[at%hash.Size()]
	}
}

// TestDecryptRefuses what no ciphertext is to blame for.
func TestDecryptRefuses(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	curve, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	signing, spki := generateKey(t, pool, hsmpool.RSA2048, hsmpool.Sign)
	good := encrypt(t, parse[*rsa.PublicKey](t, spki), crypto.SHA256, []byte("message"))
	for _, test := range []struct {
		name      string
		id        hsmpool.ObjectID
		algorithm hsmpool.Algorithm
		class     hsmpool.Class
	}{
		{"a key that only signs", signing, hsmpool.OAEPSHA256, hsmpool.Internal},
		{"a key that only signs, SHA-1", signing, hsmpool.OAEPSHA1, hsmpool.Internal},
		{"a key on a curve", curve, hsmpool.OAEPSHA256, hsmpool.Internal},
		{"an algorithm that does not decrypt", signing, hsmpool.PSSSHA256, hsmpool.Internal},
		{"a key that is not there", newID(), hsmpool.OAEPSHA1, hsmpool.ObjectMissing},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := pool.DecryptOAEP(t.Context(), test.id, test.algorithm, good)
			wantClass(t, err, test.class)
		})
	}
}

// TestPassingFaultOfADecryption fails a C_Decrypt of a good ciphertext: the canary tells
// that it is worth trying again.
func TestPassingFaultOfADecryption(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id, spki := generateKey(t, pool, hsmpool.RSA2048, hsmpool.Encrypt)
	key := parse[*rsa.PublicKey](t, spki)
	for a, hash := range oaepHashes() {
		ciphertext := encrypt(t, key, hash, []byte("message"))
		fault.put(t, faultp11.Fail("C_Decrypt", ckr.GeneralError).Kept().Times(1))
		opened, err := pool.DecryptOAEP(t.Context(), id, a, ciphertext)
		if err != nil || string(opened.Plaintext) != "message" {
			t.Errorf("%s: %q, %v", a, opened.Plaintext, err)
		}
		if got := fault.Seen("C_Decrypt"); got != 3 {
			t.Errorf("%s: %d calls of C_Decrypt, want the failed one, the canary and another", a, got)
		}
		fault.put(t, faultp11.Fail("C_Decrypt", ckr.GeneralError).Kept())
		_, err = pool.DecryptOAEP(t.Context(), id, a, ciphertext)
		wantClass(t, err, hsmpool.Unavailable)
		fault.clear(t, "C_Decrypt")
	}
}
