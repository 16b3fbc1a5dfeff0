//go:build cgo

package worker

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// curvePKCS8 makes PKCS #8 of a private key on a curve, with any scalar.
func curvePKCS8(tb testing.TB, s spec, scalar []byte) []byte {
	tb.Helper()
	inner, err := asn1.Marshal(struct {
		Version int
		Value   []byte
	}{1, scalar})
	if err != nil {
		tb.Fatal(err)
	}
	type algorithm struct {
		Algorithm asn1.ObjectIdentifier
		Params    asn1.RawValue
	}
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.RawValue{FullBytes: s.params}}, inner})
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// TestParseCurveKey reads keys as Go's packages write them, with public keys within.
func TestParseCurveKey(t *testing.T) {
	for k, curve := range map[kind.KeyType]elliptic.Curve{kind.P256: elliptic.P256(), kind.P384: elliptic.P384(), kind.P521: elliptic.P521()} {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		exchange, err := private.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		checkParsed(t, k, marshalPrivate(t, private), exchange.Bytes(), private.Public())
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	checkParsed(t, kind.Ed25519, marshalPrivate(t, private), private.Seed(), public)
}

func marshalPrivate(tb testing.TB, private any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func checkParsed(t *testing.T, k kind.KeyType, der, value []byte, public any) {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseCurveKey(mustSpec(t, k), der)
	if err != nil || !bytes.Equal(got.value, value) || !bytes.Equal(got.spki, spki) {
		t.Errorf("%s: %x, %v; want %x", k, got.spki, err, spki)
	}
}

// TestScalars: zeros at the beginning may be missing or too many; zero and the order of the
// curve are no scalars.
func TestScalars(t *testing.T) {
	for _, k := range []kind.KeyType{kind.P256, kind.P384, kind.P521, kind.Secp256k1} {
		s, size := mustSpec(t, k), fieldSize(k)
		want := append(make([]byte, size-1), 7)
		for _, scalar := range [][]byte{{7}, want, append([]byte{0, 0}, want...)} {
			got, err := parseCurveKey(s, curvePKCS8(t, s, scalar))
			if err != nil || !bytes.Equal(got.value, want) {
				t.Errorf("%s, scalar %x: %x, %v", k, scalar, got.value, err)
			}
		}
		for _, scalar := range [][]byte{nil, make([]byte, size), order(k), bytes.Repeat([]byte{0xff}, size), append([]byte{1}, make([]byte, size)...)} {
			if _, err := parseCurveKey(s, curvePKCS8(t, s, scalar)); !errors.Is(err, errScalar) {
				t.Errorf("%s, scalar %x: %v", k, scalar, err)
			}
		}
	}
}

func order(k kind.KeyType) []byte {
	switch k {
	case kind.P256:
		return elliptic.P256().Params().N.Bytes()
	case kind.P384:
		return elliptic.P384().Params().N.Bytes()
	case kind.P521:
		return elliptic.P521().Params().N.Bytes()
	default:
		return secp256k1().n.Bytes()
	}
}

// TestParseCurveKeyRefuses what is no key, or one of another type, which it names.
func TestParseCurveKeyRefuses(t *testing.T) {
	rsaPrivate, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, k256, p224 := mustSpec(t, kind.P256), mustSpec(t, kind.Secp256k1), spec{params: []byte("\x06\x05\x2b\x81\x04\x00\x21")}
	good := curvePKCS8(t, p256, []byte{7})
	for what, test := range map[string]struct {
		as  spec
		der []byte
	}{
		"key of type RSA, not P-256":                 {p256, marshalPrivate(t, rsaPrivate)},
		"key of type 1.3.101.110, not Ed25519":       {mustSpec(t, kind.Ed25519), marshalPrivate(t, exchange)},
		"key of type P-256, not secp256k1":           {k256, good},
		"key of type secp256k1, not P-256":           {p256, curvePKCS8(t, k256, []byte{7})},
		"key of type another curve, not P-256":       {p256, curvePKCS8(t, p224, []byte{7})},
		"no private key in PKCS #8, DER":             {p256, nil},
		"the key material is no private key in PKCS": {p256, append(slices.Clone(good), 0)},
		"is no private key in PKCS #8":               {p256, good[:len(good)-1]},
	} {
		if _, err := parseCurveKey(test.as, test.der); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v does not say %q", err, what)
		}
	}
}

// TestSecp256k1Point multiplies by scalars of which the points are known.
func TestSecp256k1Point(t *testing.T) {
	base := secp256k1Base(t)
	scalar := func(n byte) []byte { return append(make([]byte, 31), n) }
	minus := func(n byte) []byte { b := order(kind.Secp256k1); b[31] -= n; return b }
	negative := slices.Clone(base)
	copy(negative[33:], fromHex(t, "b7c52588d95c3b9aa25b0403f1eef75702e84bb7597aabe663b82f6f04ef2777"))
	for _, test := range []struct{ scalar, point []byte }{
		{scalar(1), base},
		{minus(1), negative},
		{scalar(2), fromHex(t, "04c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee51ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a")},
		{scalar(3), fromHex(t, "04f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9388f7b0f632de8140fe337e62a37f3566500a99934c2231b6cb9fd7584b8e672")},
	} {
		if got, err := secp256k1Point(test.scalar); err != nil || !bytes.Equal(got, test.point) {
			t.Errorf("%x: %x, %v", test.scalar, got, err)
		}
	}
	random := make([]byte, 32)
	for range 20 {
		_, _ = rand.Read(random) // never fails
		if got, err := secp256k1Point(random); err != nil || !onSecp256k1(got) {
			t.Errorf("%x: %x, %v", random, got, err)
		}
	}
}

// FuzzParseCurveKey: what is read has a public key of its type.
func FuzzParseCurveKey(f *testing.F) {
	for _, k := range []kind.KeyType{kind.P256, kind.Secp256k1} {
		f.Add(int(k), curvePKCS8(f, mustSpec(f, k), []byte{7}))
	}
	f.Fuzz(func(t *testing.T, k int, der []byte) {
		s, err := specOf(kind.KeyType(k))
		if err != nil || !s.pair() || s.bits > 0 {
			return
		}
		key, err := parseCurveKey(s, der)
		if err != nil {
			return
		}
		if len(key.value) != fieldSize(s.kind) || len(key.spki) == 0 {
			t.Errorf("%s: %d bytes, public key %x", s.kind, len(key.value), key.spki)
		}
	})
}
