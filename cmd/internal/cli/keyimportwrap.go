package cli

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyImportWrapCmd struct {
	Input     string                      `arg:"" optional:"" default:"-" help:"The file with the material, as bytes; - is standard input. A private key is PKCS #8 in DER."`
	PublicKey string                      `placeholder:"FILE" required:"" help:"The wrapping key that key import parameters has written."`
	Algorithm choice[kmsv1.AlgorithmSpec] `short:"a" placeholder:"ALGORITHM" required:"" help:"That of the parameters: RSAES_OAEP_SHA_1 or RSAES_OAEP_SHA_256."`
	Raw       bool                        `help:"Print the wrapped material's bytes instead of base64."`
	bytesOutput
}

// Help is part of kong's HelpProvider.
func (*keyImportWrapCmd) Help() string {
	return `Wraps the material here, without a server: the machine that has the material needs no network.
Private RSA keys are too long for RSAES_OAEP; wrap them by RSA_AES_KEY_WRAP with other tools.

Example:

    strongroom key import parameters $KEY --algorithm RSAES_OAEP_SHA_256 --spec RSA_3072 --public-key wrap.der --token token
    strongroom key import wrap --public-key wrap.der --algorithm RSAES_OAEP_SHA_256 material -o wrapped
    strongroom key import material $KEY --token token wrapped`
}

// Run wraps the material.
func (c *keyImportWrapCmd) Run(p *Process) error {
	hash, err := oaepHash(c.Algorithm.value)
	if err != nil {
		return err
	}
	if c.PublicKey == "-" && c.Input == "-" {
		return usagef("the material and --public-key cannot both be standard input")
	}
	public, err := readWrappingKey(p, c.PublicKey)
	if err != nil {
		return err
	}
	material, err := readInput(p, c.Input)
	if err != nil {
		return err
	}
	defer clear(material)
	if len(material) == 0 {
		return usagef("the material is empty")
	}
	wrapped, err := rsa.EncryptOAEP(hash.New(), rand.Reader, public, material, nil)
	if errors.Is(err, rsa.ErrMessageTooLong) {
		return usagef("the material is longer than the %d bytes that this key wraps by RSAES_OAEP", public.Size()-2*hash.Size()-2)
	}
	if err != nil {
		return fmt.Errorf("wrapping the material: %w", err)
	}
	return c.writeText(p, wrapped, c.Raw)
}

// oaepHash is the hash of an algorithm that wraps by RSA-OAEP alone.
func oaepHash(a kmsv1.AlgorithmSpec) (crypto.Hash, error) {
	switch a {
	case kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_1:
		return crypto.SHA1, nil
	case kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256:
		return crypto.SHA256, nil
	default:
		return 0, usagef("--algorithm is RSAES_OAEP_SHA_1 or RSAES_OAEP_SHA_256: wrap by others with other tools")
	}
}

// readWrappingKey reads an RSA key, in DER or PEM.
func readWrappingKey(p *Process, path string) (*rsa.PublicKey, error) {
	der, err := readInput(p, path)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading the wrapping key %s: %w", path, err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the wrapping key %s is no RSA key", path)
	}
	return public, nil
}
