package cli

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// keySource is where the keys that digests are checked with are from.
type keySource int

const (
	noKeys    keySource = iota
	givenKeys           // by who verifies
	foundKeys           // beside the digests: they show nothing
)

// readKeys reads PEM files. Without any it takes the keys beside the digests.
func readKeys(paths []string, export string) (cloudtrail.Keys, keySource, error) {
	if len(paths) == 0 {
		return keysBeside(export)
	}
	var all [][]byte
	for _, path := range paths {
		der, err := readKeyFile(path)
		if err != nil {
			return nil, noKeys, fmt.Errorf("public keys in %s: %w", path, err)
		}
		all = append(all, der...)
	}
	keys, err := cloudtrail.NewKeys(all...)
	return keys, givenKeys, err
}

// keysBeside reads the keys that the exporter has put beside the digests.
func keysBeside(export string) (cloudtrail.Keys, keySource, error) {
	if export == "" {
		return nil, noKeys, nil
	}
	var all [][]byte
	err := filepath.WalkDir(export, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != cloudtrail.PublicKeysName {
			return err
		}
		der, err := readKeyFile(path)
		all = append(all, der...)
		return err
	})
	if err != nil {
		return nil, noKeys, err
	}
	keys, err := cloudtrail.NewKeys(all...)
	return keys, foundKeys, err
}

// readKeyFile returns the keys in a file as PKCS #1. It is of PEM blocks, or what
// ListPublicKeys answers.
func readKeyFile(path string) (all [][]byte, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return listedKeys(text)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		der, err := pkcs1(block)
		if err != nil {
			return nil, err
		}
		all = append(all, der)
	}
	if len(all) == 0 {
		return nil, errors.New("no PEM block")
	}
	return all, nil
}

func listedKeys(text []byte) (all [][]byte, err error) {
	var list struct {
		PublicKeyList []struct{ Value []byte }
	}
	err = json.Unmarshal(text, &list)
	for _, k := range list.PublicKeyList {
		all = append(all, k.Value)
	}
	return all, err
}

func pkcs1(block *pem.Block) ([]byte, error) {
	switch block.Type {
	case "RSA PUBLIC KEY":
		return block.Bytes, nil
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		if rsaKey, ok := key.(*rsa.PublicKey); ok {
			return x509.MarshalPKCS1PublicKey(rsaKey), nil
		}
	}
	return nil, fmt.Errorf("a PEM block %q holds no RSA public key", block.Type)
}
