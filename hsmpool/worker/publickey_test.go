//go:build cgo

package worker

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// curves are Go's names of the NIST curves.
func curves() map[kind.KeyType]ecdh.Curve {
	return map[kind.KeyType]ecdh.Curve{kind.P256: ecdh.P256(), kind.P384: ecdh.P384(), kind.P521: ecdh.P521()}
}

func mustSpec(tb testing.TB, t kind.KeyType) spec {
	tb.Helper()
	s, err := specOf(t)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// octets is an attribute as the standard has it: a DER octet string.
func octets(tb testing.TB, b []byte) []byte {
	tb.Helper()
	der, err := asn1.Marshal(b)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// TestCurveInfo reads points as the standard has them, and as some libraries have them.
func TestCurveInfo(t *testing.T) {
	for keyType, curve := range curves() {
		private, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		want, err := x509.MarshalPKIXPublicKey(private.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		point := private.PublicKey().Bytes()
		for name, attribute := range map[string][]byte{"octet string": octets(t, point), "bare": point} {
			got, err := curveInfo(mustSpec(t, keyType), attribute)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: %x, %v", keyType, name, got, err)
			}
		}
		back, err := peerPoint(want, curve)
		if err != nil || !bytes.Equal(back, point) {
			t.Errorf("%s: point %x, %v", keyType, back, err)
		}
	}
}

func TestEdwardsInfo(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := curveInfo(mustSpec(t, kind.Ed25519), octets(t, public))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := x509.ParsePKIXPublicKey(got); err != nil || !public.Equal(back) {
		t.Errorf("%v, %v", back, err)
	}
}

// TestPointsThatAreNone: nothing becomes a key's record that is no point of its curve.
func TestPointsThatAreNone(t *testing.T) {
	base := secp256k1Base(t)
	bad := bytes.Clone(base)
	bad[64] ^= 1
	beyond := append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...)
	for _, test := range []struct {
		name  string
		key   kind.KeyType
		point []byte
		good  bool
	}{
		{"the base point", kind.Secp256k1, base, true},
		{"off the curve", kind.Secp256k1, bad, false},
		{"beyond the field", kind.Secp256k1, beyond, false},
		{"compressed", kind.Secp256k1, append([]byte{2}, base[1:33]...), false},
		{"nothing", kind.Secp256k1, nil, false},
		{"a point of another curve", kind.P256, base, false},
		{"the identity", kind.P256, []byte{0}, false},
		{"nothing", kind.P256, nil, false},
		{"33 bytes", kind.Ed25519, make([]byte, 33), false},
		{"nothing", kind.Ed25519, nil, false},
	} {
		for _, attribute := range [][]byte{test.point, octets(t, test.point)} {
			if _, err := curveInfo(mustSpec(t, test.key), attribute); (err == nil) != test.good {
				t.Errorf("%s, %s: %v", test.key, test.name, err)
			}
		}
	}
}

// secp256k1Base is the curve's base point (SEC 2, 2.4.1).
func secp256k1Base(tb testing.TB) []byte {
	return fromHex(tb, "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"+
		"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
}

func TestRSAInfo(t *testing.T) {
	key := rsaKey(t)
	n := key.N.Bytes()
	for _, test := range []struct {
		name              string
		modulus, exponent []byte
		want              string // "": good
	}{
		{"good", n, []byte{1, 0, 1}, ""},
		{"with zeros before it", append([]byte{0}, n...), []byte{0, 1, 0, 1}, ""},
		{"a short modulus", n[1:], []byte{1, 0, 1}, "not of 2048"},
		{"another exponent", n, []byte{3}, "with the exponent 3"},
		{"an even modulus", append(bytes.Clone(n[:255]), 0), []byte{1, 0, 1}, "impossible"},
		{"an exponent of one", n, []byte{1}, "impossible"},
		{"a huge exponent", n, bytes.Repeat([]byte{1}, 9), "impossible"},
		{"nothing", nil, nil, "impossible"},
	} {
		spki, err := rsaInfo(test.modulus, test.exponent, 2048)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if err == nil {
			if back, err := x509.ParsePKIXPublicKey(spki); err != nil || !key.PublicKey.Equal(back.(*rsa.PublicKey)) {
				t.Errorf("%s: %v, %v", test.name, back, err)
			}
		}
	}
}

// FuzzCurveInfo: whatever a token tells, what is kept is a public key.
func FuzzCurveInfo(f *testing.F) {
	f.Add(secp256k1Base(f))
	f.Add(octets(f, make([]byte, 32)))
	for _, curve := range curves() {
		private, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(octets(f, private.PublicKey().Bytes()))
	}
	f.Fuzz(func(t *testing.T, attribute []byte) {
		for _, keyType := range []kind.KeyType{kind.P256, kind.P384, kind.P521, kind.Secp256k1, kind.Ed25519} {
			spki, err := curveInfo(mustSpec(t, keyType), attribute)
			if err != nil || keyType == kind.Secp256k1 {
				continue
			}
			if _, err := x509.ParsePKIXPublicKey(spki); err != nil {
				t.Errorf("%s: %x became %x: %v", keyType, attribute, spki, err)
			}
		}
	})
}

// FuzzPeerPoint: whatever a caller sends, what reaches the token is a point of the curve.
func FuzzPeerPoint(f *testing.F) {
	for _, curve := range curves() {
		private, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		spki, err := x509.MarshalPKIXPublicKey(private.PublicKey())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(spki)
	}
	f.Fuzz(func(t *testing.T, spki []byte) {
		for keyType, curve := range curves() {
			point, err := peerPoint(spki, curve)
			if err != nil {
				continue
			}
			if _, err := curve.NewPublicKey(point); err != nil || len(point)%2 != 1 || point[0] != 4 || zero(point[1:]) {
				t.Errorf("%s: %x is taken for the point %x", keyType, spki, point)
			}
		}
	})
}

func zero(b []byte) bool { return new(big.Int).SetBytes(b).Sign() == 0 }
