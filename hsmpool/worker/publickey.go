//go:build cgo

package worker

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// rsaExponent is the public exponent of every RSA key made here.
const rsaExponent = 65537

// readPublic returns the SubjectPublicKeyInfo, DER, of the public key object of a new
// pair. What the token tells is checked, since it becomes part of a key's record.
func (t *token) readPublic(session pkcs11.SessionHandle, s spec, public pkcs11.ObjectHandle) (spki []byte, err error) {
	types := []uint{pkcs11.CKA_EC_POINT}
	if s.bits > 0 {
		types = []uint{pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT}
	}
	values, err := t.attributes(session, public, types...)
	if err != nil {
		return nil, err
	}
	if s.bits > 0 {
		spki, err = rsaInfo(values[0], values[1], int(s.bits))
	} else {
		spki, err = curveInfo(s, values[0])
	}
	if err != nil {
		return nil, internal(fmt.Errorf("reading the new %s public key: %w", s.kind, err))
	}
	return spki, nil
}

// rsaInfo encodes an RSA public key of so many bits.
func rsaInfo(modulus, exponent []byte, bits int) ([]byte, error) {
	key, err := rsaPublic(modulus, exponent)
	if err != nil {
		return nil, err
	}
	if key.N.BitLen() != bits || key.E != rsaExponent {
		return nil, fmt.Errorf("the token made a key of %d bits with the exponent %d, not of %d with %d", key.N.BitLen(), key.E, bits, rsaExponent)
	}
	return x509.MarshalPKIXPublicKey(key)
}

// rsaPublic returns the public key of CKA_MODULUS and CKA_PUBLIC_EXPONENT.
func rsaPublic(modulus, exponent []byte) (*rsa.PublicKey, error) {
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	if n.Bit(0) == 0 || e.Bit(0) == 0 || e.BitLen() > 31 || e.Cmp(big.NewInt(1)) <= 0 {
		return nil, errors.New("the token's RSA key has an impossible modulus or exponent")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// curveInfo encodes the public key of CKA_EC_POINT: by the standard an octet string with
// the point in it, but some libraries tell the point itself.
func curveInfo(s spec, attribute []byte) ([]byte, error) {
	point := attribute
	var inner []byte
	if rest, err := asn1.Unmarshal(attribute, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	switch s.kind {
	case kind.Ed25519:
		return edwardsInfo(point)
	case kind.Secp256k1:
		return koblitzInfo(s, point)
	}
	curve := curveOf(s.params)
	key, err := curve.NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key)
}

func edwardsInfo(point []byte) ([]byte, error) {
	if len(point) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("an Ed25519 public key of %d bytes", len(point))
	}
	return x509.MarshalPKIXPublicKey(ed25519.PublicKey(point))
}

// koblitzInfo encodes a point of secp256k1, which Go's packages do not know.
func koblitzInfo(s spec, point []byte) ([]byte, error) {
	if !onSecp256k1(point) {
		return nil, errors.New("no point of secp256k1")
	}
	info := struct {
		Algorithm struct{ Algorithm, Curve asn1.ObjectIdentifier }
		Key       asn1.BitString
	}{Key: asn1.BitString{Bytes: point, BitLength: 8 * len(point)}}
	info.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} // id-ecPublicKey
	if _, err := asn1.Unmarshal(s.params, &info.Algorithm.Curve); err != nil {
		return nil, err
	}
	return asn1.Marshal(info)
}

// onSecp256k1 tells whether an uncompressed point satisfies y^2 = x^3 + 7 (SEC 2, 2.4.1).
// The point is public.
func onSecp256k1(point []byte) bool {
	const size = 32
	if len(point) != 1+2*size || point[0] != 4 {
		return false
	}
	p := new(big.Int).Lsh(big.NewInt(1), 8*size)
	p.Sub(p, big.NewInt(1<<32+977))
	x, y := new(big.Int).SetBytes(point[1:1+size]), new(big.Int).SetBytes(point[1+size:])
	if x.Cmp(p) >= 0 || y.Cmp(p) >= 0 {
		return false
	}
	left := new(big.Int).Exp(y, big.NewInt(2), p)
	right := new(big.Int).Exp(x, big.NewInt(3), p)
	right.Mod(right.Add(right, big.NewInt(7)), p)
	return left.Cmp(right) == 0
}

// curveOf returns the NIST curve of CKA_EC_PARAMS; nil if it is none.
func curveOf(params []byte) ecdh.Curve {
	for t, curve := range map[kind.KeyType]ecdh.Curve{kind.P256: ecdh.P256(), kind.P384: ecdh.P384(), kind.P521: ecdh.P521()} {
		if s, err := specOf(t); err == nil && bytes.Equal(s.params, params) {
			return curve
		}
	}
	return nil
}

// peerPoint returns the uncompressed point of another side's public key,
// SubjectPublicKeyInfo in DER, if it is one of the curve. x509 and ecdh refuse points that
// are not on their curve, and the identity.
func peerPoint(spki []byte, curve ecdh.Curve) ([]byte, error) {
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("it is no public key on a NIST curve")
	}
	peer, err := key.ECDH()
	if err != nil {
		return nil, err
	}
	if peer.Curve() != curve {
		return nil, fmt.Errorf("it is on %v, not on %v", peer.Curve(), curve)
	}
	return peer.Bytes(), nil
}
