package hsmpool_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// agreeing are the key types that agree, and Go's name of their curve.
func agreeing() map[hsmpool.KeyType]ecdh.Curve {
	return map[hsmpool.KeyType]ecdh.Curve{hsmpool.P256: ecdh.P256(), hsmpool.P384: ecdh.P384(), hsmpool.P521: ecdh.P521()}
}

// peer makes the other side's key pair.
func peer(tb testing.TB, curve ecdh.Curve) (*ecdh.PrivateKey, []byte) {
	tb.Helper()
	private, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return private, spkiOf(tb, private.PublicKey())
}

func spkiOf(tb testing.TB, key any) []byte {
	tb.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return spki
}

// agreed is the secret as Go's package derives it from the other side.
func agreed(tb testing.TB, private *ecdh.PrivateKey, spki []byte) []byte {
	tb.Helper()
	key, err := parse[*ecdsa.PublicKey](tb, spki).ECDH()
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := private.ECDH(key)
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

// TestAgree compares with Go's package, also secrets that begin with a zero, of which every
// 256th does.
func TestAgree(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	for keyType, curve := range agreeing() {
		id, spki := generateKey(t, pool, keyType, hsmpool.Agree)
		zero := false
		for n := 0; n < 5 || keyType == hsmpool.P256 && !zero && n < 5000; n++ {
			private, theirs := peer(t, curve)
			want := agreed(t, private, spki)
			if n >= 5 && want[0] != 0 {
				continue // spare the token what has been seen
			}
			zero = zero || want[0] == 0
			got, err := pool.Agree(t.Context(), id, theirs)
			if err != nil || !bytes.Equal(got.Secret, want) {
				t.Fatalf("%s: %x, want %x; %v", keyType, got.Secret, want, err)
			}
			if got.Trace.Function != "C_DeriveKey" || got.Trace.RV != 0 {
				t.Errorf("%s: trace %+v", keyType, got.Trace)
			}
		}
	}
}

// TestAgreeLeavesEntries: a derivation is a management command, on CloudHSM too.
func TestAgreeLeavesEntries(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	_, theirs := peer(t, ecdh.P256())
	before := h.journal.len()
	if _, err := pool.Agree(hsmpool.WithRequestID(t.Context(), "request-1"), id, theirs); err != nil {
		t.Fatal(err)
	}
	entries := h.journal.since(before)
	if diff := cmp.Diff([]string{"C_DeriveKey", "C_DestroyObject"}, lines(entries)); diff != "" {
		t.Errorf("HSM entries (-want +got):\n%s", diff)
	}
	for _, e := range entries {
		if e.KeyID != id.String() || e.RequestID != "request-1" || e.PrivateHandle == 0 || e.TokenObject {
			t.Errorf("entry %+v", e)
		}
	}
}

// TestAgreeRefuses other sides that are no points of the key's curve. No library is asked.
func TestAgreeRefuses(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	pool := h.open(t)
	id, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	_, good := peer(t, ecdh.P256())
	_, other := peer(t, ecdh.P384())
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point := func(p []byte) []byte { return withPoint(t, good, p) }
	offCurve := slices.Clone(good[len(good)-65:])
	offCurve[64] ^= 1
	before := h.journal.len()
	for name, spki := range map[string][]byte{
		"nothing":             nil,
		"no DER":              []byte("key"),
		"something behind it": append(slices.Clone(good), 0),
		"another curve":       other,
		"no ECDSA curve":      spkiOf(t, x25519.PublicKey()),
		"secp256k1":           secp256k1Info(t),
		"off the curve":       point(offCurve),
		"the identity":        point([]byte{0}),
		"zeros":               point(append([]byte{4}, make([]byte, 64)...)),
		"beyond the field":    point(append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...)),
		"compressed":          point(append([]byte{2}, good[len(good)-64:len(good)-32]...)),
		"short":               point(good[len(good)-65 : len(good)-1]),
		"empty":               point(nil),
	} {
		_, err := pool.Agree(t.Context(), id, spki)
		if e := hsmError(t, err, hsmpool.Caller); e.Function != "" {
			t.Errorf("%s: the library was asked: %v", name, err)
		}
	}
	if entries := h.journal.since(before); len(entries) != 0 {
		t.Errorf("entries %q of what was refused", lines(entries))
	}
	signing, _ := generateKey(t, pool, hsmpool.P256, hsmpool.Sign)
	edwards, _ := generateKey(t, pool, hsmpool.Ed25519, hsmpool.Sign)
	for _, id := range []hsmpool.ObjectID{signing, edwards} {
		_, err := pool.Agree(t.Context(), id, good)
		wantClass(t, err, hsmpool.Internal)
	}
	_, err = pool.Agree(t.Context(), newID(), good)
	wantClass(t, err, hsmpool.ObjectMissing)
	if _, err := pool.Agree(t.Context(), id, good); err != nil {
		t.Errorf("a good one after the bad ones: %v", err)
	}
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts for a caller's faults", got)
	}
}

// info is SubjectPublicKeyInfo on a curve.
type info struct {
	Algorithm struct{ Algorithm, Curve asn1.ObjectIdentifier }
	Key       asn1.BitString
}

// withPoint returns a public key with another point.
func withPoint(tb testing.TB, spki, point []byte) []byte {
	tb.Helper()
	var i info
	if _, err := asn1.Unmarshal(spki, &i); err != nil {
		tb.Fatal(err)
	}
	i.Key = asn1.BitString{Bytes: point, BitLength: 8 * len(point)}
	return marshal(tb, i)
}

// secp256k1Info is a public key on secp256k1.
func secp256k1Info(tb testing.TB) []byte {
	tb.Helper()
	var i info
	i.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	i.Algorithm.Curve = asn1.ObjectIdentifier{1, 3, 132, 0, 10}
	i.Key = asn1.BitString{Bytes: append([]byte{4}, make([]byte, 64)...), BitLength: 520}
	return marshal(tb, i)
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// TestFailedDerivation: after a fault it is done again, and nothing is left of the first.
func TestFailedDerivation(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id, spki := generateKey(t, pool, hsmpool.P256, hsmpool.Agree)
	private, theirs := peer(t, ecdh.P256())
	for _, function := range []string{"C_DeriveKey", "C_GetAttributeValue", "C_DestroyObject"} {
		before := h.journal.len()
		fault.put(t, faultp11.Fail(function, ckr.GeneralError).Times(1))
		got, err := pool.Agree(t.Context(), id, theirs)
		if err != nil || !bytes.Equal(got.Secret, agreed(t, private, spki)) {
			t.Errorf("%s failed once: %x, %v", function, got.Secret, err)
		}
		if entries := h.journal.since(before); count(entries, "C_DeriveKey") < 1 || fault.Seen(function) == 0 {
			t.Errorf("%s failed once: entries %q", function, lines(entries))
		}
		fault.clear(t, function)
	}
	if got := pool.Describe()[0].Restarts; got != 0 {
		t.Errorf("%d restarts", got)
	}
}
