package cloudtrail

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Limits of what is read into memory, in bytes.
const (
	maxDigest    = 64 << 20
	maxSignature = 16 << 10
)

// SignedDigest is a digest as it stands in a tree.
type SignedDigest struct {
	*Digest
	// Content is the digest's, uncompressed.
	Content []byte
	// Signature is the signature, in hexadecimal.
	Signature string
}

// ReadDigest reads a digest and its signature. It does not verify them.
func ReadDigest(fsys fs.FS, name string) (SignedDigest, error) {
	content, err := readCompressed(fsys, name)
	if err != nil {
		return SignedDigest{}, err
	}
	d, err := DecodeDigest(content)
	if err != nil {
		return SignedDigest{}, err
	}
	signature, err := readSignature(fsys, name+SignatureSuffix)
	return SignedDigest{d, content, signature}, err
}

func readSignature(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading the signature: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(io.LimitReader(f, maxSignature))
	if err != nil {
		return "", fmt.Errorf("reading the signature: %w", err)
	}
	return ParseSignatureFile(content)
}

// Verify checks the signature with the key that the digest names.
func (d SignedDigest) Verify(keys Keys) error {
	key := keys[d.Fingerprint]
	if key == nil {
		return fmt.Errorf("it is signed by a key that is not known, %s", d.Fingerprint)
	}
	signature, err := hex.DecodeString(d.Signature)
	if err != nil {
		return err
	}
	return verify(key, d.SigningString(d.Content), signature)
}

func readCompressed(fsys fs.FS, name string) (content []byte, err error) {
	err = uncompress(fsys, name, func(r io.Reader) error {
		content, err = io.ReadAll(io.LimitReader(r, maxDigest+1))
		if len(content) > maxDigest {
			err = fmt.Errorf("it has more than %d bytes", maxDigest)
		}
		return err
	})
	return content, err
}

// uncompress shows what is in a compressed file to read, and wants nothing else to
// be in the file.
func uncompress(fsys fs.FS, name string, read func(io.Reader) error) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	file := bufio.NewReader(f)
	r, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("uncompressing it: %w", err)
	}
	r.Multistream(false)
	if err := read(r); err != nil {
		return fmt.Errorf("uncompressing it: %w", err)
	}
	if _, err := file.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its compressed content")
	}
	return nil
}
