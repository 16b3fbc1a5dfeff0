//go:build cgo

package worker

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// curveKey is a private key on a curve: what the token is given, and its public key.
type curveKey struct {
	// value is the scalar, as long as the field; of Ed25519 the seed. Its owner wipes it.
	value []byte
	spki  []byte
}

// errPKCS8 is told for everything that is no private key at all.
var errPKCS8 = errors.New("the key material is no private key in PKCS #8, DER")

// privateKeyInfo is PrivateKeyInfo (RFC 5208, 5) and OneAsymmetricKey (RFC 5958, 2), as far
// as it is read. Raw values are parts of what was read, so that no copies are left.
type privateKeyInfo struct {
	Version   int
	Algorithm struct {
		Algorithm asn1.ObjectIdentifier
		Params    asn1.RawValue `asn1:"optional"`
	}
	PrivateKey asn1.RawValue
}

// ecPrivateKey is ECPrivateKey (RFC 5915, 3), as far as it is read: the public key in it
// need not be there, and need not be right.
type ecPrivateKey struct {
	Version int
	Value   asn1.RawValue
}

// parseCurveKey reads PKCS #8, DER, of a key of the type s. Its errors are for the caller.
func parseCurveKey(s spec, der []byte) (curveKey, error) {
	var info privateKeyInfo
	rest, err := asn1.Unmarshal(der, &info)
	if err != nil || len(rest) != 0 || !octetString(info.PrivateKey) {
		return curveKey{}, errPKCS8
	}
	if got := typeOf(info); got != s.kind.String() {
		return curveKey{}, fmt.Errorf("the key material is a key of type %s, not %s", got, s.kind)
	}
	if s.kind == kind.Ed25519 {
		return edwardsKey(info.PrivateKey.Bytes)
	}
	var key ecPrivateKey
	rest, err = asn1.Unmarshal(info.PrivateKey.Bytes, &key)
	if err != nil || len(rest) != 0 || key.Version != 1 || !octetString(key.Value) {
		return curveKey{}, errPKCS8
	}
	return scalarKey(s, key.Value.Bytes)
}

func octetString(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString && !v.IsCompound
}

// typeOf names the type of a private key: a kind's name if it is one's.
func typeOf(info privateKeyInfo) string {
	ecPublicKey := asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	switch a := info.Algorithm.Algorithm; {
	case a.Equal(asn1.ObjectIdentifier{1, 3, 101, 112}):
		return kind.Ed25519.String()
	case a.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}):
		return "RSA"
	case !a.Equal(ecPublicKey):
		return a.String()
	}
	for _, t := range []kind.KeyType{kind.P256, kind.P384, kind.P521, kind.Secp256k1} {
		if s, err := specOf(t); err == nil && bytes.Equal(s.params, info.Algorithm.Params.FullBytes) {
			return t.String()
		}
	}
	return "another curve"
}

// edwardsKey reads the seed, an octet string within the octet string (RFC 8410, 7).
func edwardsKey(der []byte) (curveKey, error) {
	var seed asn1.RawValue
	rest, err := asn1.Unmarshal(der, &seed)
	if err != nil || len(rest) != 0 || !octetString(seed) || len(seed.Bytes) != ed25519.SeedSize {
		return curveKey{}, errPKCS8
	}
	private := ed25519.NewKeyFromSeed(seed.Bytes)
	defer clear(private)
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return curveKey{}, err
	}
	return curveKey{value: bytes.Clone(seed.Bytes), spki: spki}, nil
}

// errScalar: the scalar is zero, or not below the order of the curve.
var errScalar = errors.New("the key material is no number of a key on its curve")

// scalarKey makes the key of a scalar, which may lack zeros at its beginning or have some
// too many.
func scalarKey(s spec, scalar []byte) (curveKey, error) {
	size := fieldSize(s.kind)
	scalar = bytes.TrimLeft(scalar, "\x00")
	if len(scalar) > size {
		return curveKey{}, errScalar
	}
	value := make([]byte, size)
	copy(value[size-len(scalar):], scalar)
	spki, err := publicOf(s, value)
	if err != nil {
		clear(value)
		return curveKey{}, err
	}
	return curveKey{value: value, spki: spki}, nil
}

// fieldSize is the length of a coordinate and of a scalar in bytes.
func fieldSize(t kind.KeyType) int {
	switch t {
	case kind.P384:
		return 48
	case kind.P521:
		return 66
	default:
		return 32
	}
}

// publicOf returns the public key of a scalar.
func publicOf(s spec, value []byte) ([]byte, error) {
	if s.kind == kind.Secp256k1 {
		point, err := secp256k1Point(value)
		if err != nil {
			return nil, err
		}
		return koblitzInfo(s, point)
	}
	private, err := curveOf(s.params).NewPrivateKey(value)
	if err != nil {
		return nil, errScalar
	}
	return x509.MarshalPKIXPublicKey(private.PublicKey())
}
