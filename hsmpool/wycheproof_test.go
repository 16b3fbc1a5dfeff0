package hsmpool_test

import (
	"bytes"
	"cmp"
	"crypto/ecdh"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// octets are bytes that are written in hexadecimal.
type octets []byte

// UnmarshalText reads hexadecimal.
func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

// vectorGroup is a group of Wycheproof's test vectors; sizes are in bits.
type vectorGroup struct {
	KeySize, TagSize int
	SHA, MGFSHA      string
	PrivateKeyPKCS8  octets
	Tests            []vector
}

// vector is a test vector: its result says whether it is to be accepted.
type vector struct {
	TCID                    int
	Comment, Result         string
	Flags                   []string
	Key, IV, AAD, Msg       octets
	CT, Tag, Label          octets
	Public, Private, Shared octets
}

// vectorsOf reads a file of vectors: of those stored here, or of all of them, in the
// directory that STRONGROOM_WYCHEPROOF names.
func vectorsOf(tb testing.TB, name string) []vectorGroup {
	tb.Helper()
	dir := cmp.Or(os.Getenv("STRONGROOM_WYCHEPROOF"), filepath.Join("testdata", "wycheproof"))
	text, err := os.ReadFile(filepath.Join(dir, name+"_test.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var file struct{ TestGroups []vectorGroup }
	if err := json.Unmarshal(text, &file); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return file.TestGroups
}

// prover puts vectors through keys that it imports.
type prover struct {
	pool *hsmpool.Pool
	wrapper
	imported          map[string]hsmpool.ObjectID // by type and material
	accepted, refused int
}

// key is the key of some material, imported when it is first asked for.
func (p *prover) key(tb testing.TB, k hsmpool.KeyType, use hsmpool.Use, material []byte) hsmpool.ObjectID {
	tb.Helper()
	name := k.String() + string(material)
	if id, ok := p.imported[name]; ok {
		return id
	}
	a := []hsmpool.Algorithm{hsmpool.WrapRSAAESSHA1, hsmpool.WrapRSAAESSHA256}[len(p.imported)%2]
	r := p.request(tb, k, use, a, material)
	if _, err := p.pool.Import(tb.Context(), r); err != nil {
		tb.Fatalf("importing a key of type %s by %s: %v", k, a, err)
	}
	p.imported[name] = r.ID
	return r.ID
}

// expect checks the answer to a vector: good is whether it gave what the vector says. What is
// refused must be so by an Error of class Caller. What Wycheproof calls acceptable may be
// refused or give what it says, but nothing else.
func (p *prover) expect(tb testing.TB, v vector, want, good bool, err error) {
	tb.Helper()
	if v.Result == "acceptable" {
		want = err == nil
	}
	if good {
		p.accepted++
	} else {
		p.refused++
	}
	if good != want {
		tb.Errorf("vector %d (%s, %s %q): accepted %t, want %t; %v", v.TCID, v.Comment, v.Result, v.Flags, good, want, err)
	}
	if e := (*hsmpool.Error)(nil); err != nil && (!errors.As(err, &e) || e.Class != hsmpool.Caller) {
		tb.Errorf("vector %d (%s): %v is not of class %v", v.TCID, v.Comment, err, hsmpool.Caller)
	}
}

// TestWycheproof accepts the valid vectors and refuses the invalid ones, by keys that were
// imported into the token. Valid ones for what the pool does not do are refused as well: IVs
// of AES-GCM other than of 96 bits, labels of OAEP, another hash in its MGF1.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t)
	p := &prover{pool: pool, wrapper: newWrapper(t, pool), imported: map[string]hsmpool.ObjectID{}}
	for _, file := range []struct {
		name  string
		check func(testing.TB, vectorGroup)
	}{
		{"aes_gcm", p.open},
		{"hmac_sha224", p.mac(hsmpool.HMAC224, hsmpool.HMACSHA224)},
		{"hmac_sha256", p.mac(hsmpool.HMAC256, hsmpool.HMACSHA256)},
		{"hmac_sha384", p.mac(hsmpool.HMAC384, hsmpool.HMACSHA384)},
		{"hmac_sha512", p.mac(hsmpool.HMAC512, hsmpool.HMACSHA512)},
		{"rsa_oaep_2048_sha1_mgf1sha1", p.decrypt},
		{"rsa_oaep_2048_sha256_mgf1sha256", p.decrypt},
		{"rsa_oaep_2048_sha256_mgf1sha1", p.decrypt},
		{"rsa_oaep_3072_sha256_mgf1sha256", p.decrypt},
		{"rsa_oaep_4096_sha256_mgf1sha256", p.decrypt},
		{"rsa_oaep_misc", p.decrypt},
		{"rsa_three_primes_oaep_2048_sha1_mgf1sha1", p.decrypt},
		{"ecdh_secp256r1", p.agree(hsmpool.P256, ecdh.P256())},
		{"ecdh_secp384r1", p.agree(hsmpool.P384, ecdh.P384())},
		{"ecdh_secp521r1", p.agree(hsmpool.P521, ecdh.P521())},
	} {
		p.accepted, p.refused = 0, 0
		for _, g := range vectorsOf(t, file.name) {
			file.check(t, g)
		}
		t.Logf("%-42s %4d accepted, %4d refused", file.name, p.accepted, p.refused)
		if p.accepted == 0 && p.refused == 0 {
			t.Errorf("%s has no vector for these keys", file.name)
		}
	}
}

// open opens what AES-256-GCM sealed. An IV of another length than 96 bits is none of ours.
func (p *prover) open(tb testing.TB, g vectorGroup) {
	tb.Helper()
	if g.KeySize != 256 {
		return
	}
	for _, v := range g.Tests {
		id := p.key(tb, hsmpool.AES256, hsmpool.Encrypt, v.Key)
		opened, err := p.pool.Open(tb.Context(), id, v.IV, slices.Concat(v.CT, v.Tag), v.AAD)
		p.expect(tb, v, v.Result == "valid" && len(v.IV) == 12, err == nil && bytes.Equal(opened.Plaintext, v.Msg), err)
	}
}

// mac compares whole MACs under keys as long as the hash, the only ones.
func (p *prover) mac(k hsmpool.KeyType, a hsmpool.Algorithm) func(testing.TB, vectorGroup) {
	return func(tb testing.TB, g vectorGroup) {
		tb.Helper()
		size := strings.TrimPrefix(string(a), "HMAC-SHA-")
		if strconv.Itoa(g.KeySize) != size || strconv.Itoa(g.TagSize) != size {
			return
		}
		for _, v := range g.Tests {
			made, err := p.pool.MAC(tb.Context(), p.key(tb, k, hsmpool.MAC, v.Key), a, v.Msg)
			p.expect(tb, v, v.Result == "valid", err == nil && bytes.Equal(made.MAC, v.Tag), err)
		}
	}
}

// decrypt decrypts by RSA-OAEP. What has a label, or another hash in MGF1, is refused.
func (p *prover) decrypt(tb testing.TB, g vectorGroup) {
	tb.Helper()
	k, sized := map[int]hsmpool.KeyType{2048: hsmpool.RSA2048, 3072: hsmpool.RSA3072, 4096: hsmpool.RSA4096}[g.KeySize]
	a, hashed := map[string]hsmpool.Algorithm{"SHA-1": hsmpool.OAEPSHA1, "SHA-256": hsmpool.OAEPSHA256}[g.SHA]
	if !sized || !hashed {
		return
	}
	id := p.key(tb, k, hsmpool.Encrypt, g.PrivateKeyPKCS8)
	for _, v := range g.Tests {
		opened, err := p.pool.DecryptOAEP(tb.Context(), id, a, v.CT)
		ours := len(v.Label) == 0 && g.MGFSHA == g.SHA
		p.expect(tb, v, v.Result == "valid" && ours, err == nil && bytes.Equal(opened.Plaintext, v.Msg), err)
	}
}

// agree derives the shared secrets of private and public keys.
func (p *prover) agree(k hsmpool.KeyType, curve ecdh.Curve) func(testing.TB, vectorGroup) {
	return func(tb testing.TB, g vectorGroup) {
		tb.Helper()
		for _, v := range g.Tests {
			id := p.key(tb, k, hsmpool.Agree, pkcs8(tb, privateOf(tb, curve, v.Private)))
			made, err := p.pool.Agree(tb.Context(), id, v.Public)
			p.expect(tb, v, v.Result == "valid", err == nil && bytes.Equal(made.Secret, v.Shared), err)
		}
	}
}

// privateOf is a private key of a number of any length.
func privateOf(tb testing.TB, curve ecdh.Curve, number []byte) *ecdh.PrivateKey {
	tb.Helper()
	size := map[ecdh.Curve]int{ecdh.P256(): 32, ecdh.P384(): 48, ecdh.P521(): 66}[curve]
	number = bytes.TrimLeft(number, "\x00")
	private, err := curve.NewPrivateKey(append(make([]byte, size-len(number)), number...))
	if err != nil {
		tb.Fatal(err)
	}
	return private
}
