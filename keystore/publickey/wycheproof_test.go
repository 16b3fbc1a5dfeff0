package publickey

import (
	"cmp"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
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

// vectorGroup is a group of Wycheproof's test vectors: signatures by one key.
type vectorGroup struct {
	PublicKeyDER octets
	Tests        []struct {
		TCID            int
		Comment, Result string
		Msg, Sig        octets
	}
}

// vectorsOf reads a file of vectors: of those stored here, or of all of them, in the
// directory that STRONGROOM_WYCHEPROOF names.
func vectorsOf(t *testing.T, name string) []vectorGroup {
	t.Helper()
	dir := cmp.Or(os.Getenv("STRONGROOM_WYCHEPROOF"), filepath.Join("testdata", "wycheproof"))
	text := must[[]byte](t)(os.ReadFile(filepath.Join(dir, name+"_test.json")))
	var file struct{ TestGroups []vectorGroup }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.TestGroups
}

// TestWycheproof verifies the valid signatures and no other ones. Refused are also those
// that Wycheproof leaves open, of PKCS #1 without the NULL that RFC 8017 wants, and valid ones
// of PSS with another salt and another hash in MGF1 than ours.
func TestWycheproof(t *testing.T) {
	for _, file := range []struct {
		name      string
		algorithm hsmpool.Algorithm
		hash      crypto.Hash // zero: the message itself is verified
		others    bool        // by another algorithm than ours
	}{
		{name: "rsa_signature_2048_sha256", algorithm: hsmpool.PKCS1SHA256, hash: crypto.SHA256},
		{name: "rsa_signature_3072_sha384", algorithm: hsmpool.PKCS1SHA384, hash: crypto.SHA384},
		{name: "rsa_signature_4096_sha512", algorithm: hsmpool.PKCS1SHA512, hash: crypto.SHA512},
		{name: "rsa_pss_2048_sha256_mgf1_32", algorithm: hsmpool.PSSSHA256, hash: crypto.SHA256},
		{name: "rsa_pss_2048_sha384_mgf1_48", algorithm: hsmpool.PSSSHA384, hash: crypto.SHA384},
		{name: "rsa_pss_4096_sha512_mgf1_64", algorithm: hsmpool.PSSSHA512, hash: crypto.SHA512},
		{name: "rsa_pss_2048_sha256_mgf1sha1_20", algorithm: hsmpool.PSSSHA256, hash: crypto.SHA256, others: true},
		{name: "ecdsa_secp256r1_sha256", algorithm: hsmpool.ECDSASHA256, hash: crypto.SHA256},
		{name: "ecdsa_secp384r1_sha384", algorithm: hsmpool.ECDSASHA384, hash: crypto.SHA384},
		{name: "ecdsa_secp521r1_sha512", algorithm: hsmpool.ECDSASHA512, hash: crypto.SHA512},
		{name: "ecdsa_secp256k1_sha256", algorithm: hsmpool.ECDSASHA256, hash: crypto.SHA256},
		{name: "ed25519", algorithm: hsmpool.EdDSA},
	} {
		t.Run(file.name, func(t *testing.T) {
			answers := map[bool]int{}
			for _, g := range vectorsOf(t, file.name) {
				for _, v := range g.Tests {
					got, err := Verify(g.PublicKeyDER, file.algorithm, hashed(file.hash, v.Msg), v.Sig)
					if want := v.Result == "valid" && !file.others; got != want || err != nil {
						t.Errorf("vector %d (%s, %s): %t, %v", v.TCID, v.Comment, v.Result, got, err)
					}
					answers[got]++
				}
			}
			t.Logf("%d verified, %d refused", answers[true], answers[false])
			if answers[false] == 0 || answers[true] == 0 && !file.others {
				t.Error("there are not both valid and invalid vectors")
			}
		})
	}
}

// hashed is the digest of a message, or itself.
func hashed(h crypto.Hash, message []byte) []byte {
	if h == 0 {
		return message
	}
	d := h.New()
	d.Write(message)
	return d.Sum(nil)
}
