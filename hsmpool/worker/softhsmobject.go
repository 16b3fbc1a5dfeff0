//go:build cgo

package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/miekg/pkcs11"
)

// The kinds of a value in SoftHSM's object files.
const (
	kindBool         = 1 // a byte
	kindUlong        = 2 // an integer
	kindBytes        = 3 // the number of bytes, and the bytes
	kindAttributeMap = 4 // the number of bytes, and attributes
	kindMechanisms   = 5 // the number of mechanisms, and an integer for each
)

const (
	// wordBytes is the size of every integer in the file; they are big-endian.
	wordBytes = 8
	// lastOfKey is the attribute with the highest type that SoftHSM gives to every
	// key. It came with the release that brought AES-GCM, 2.4.
	lastOfKey = pkcs11.CKA_ALLOWED_MECHANISMS
)

const (
	// readTries and readPause give another process that shares the token the time to
	// finish a file of its own. A file of this process is finished.
	readTries = 5
	readPause = 20 * time.Millisecond
)

// checkObjects reads back object files that are new. SoftHSM takes no notice of short
// writes: on a full disk it makes a key well, keeps it in memory, and leaves a file
// from which no later process can read the key.
func checkObjects(paths []string) error {
	for _, path := range paths {
		err := checkObject(path)
		for try := 1; err != nil && try < readTries; try++ {
			time.Sleep(readPause)
			err = checkObject(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkObject checks one file. One that is gone was destroyed meanwhile.
func checkObject(path string) error {
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading an object back: %w", err)
	}
	if err := wholeObject(file); err != nil {
		return fmt.Errorf("SoftHSM wrote only a part of %s (%d bytes: %w): the disk of the token directory %s is probably full",
			path, len(file), err, filepath.Dir(path))
	}
	return nil
}

// wholeObject tells whether an object file has its end. It is a generation number,
// then the attributes by rising type, each of them its type, its kind and its value,
// and nothing says how many there are: the file of a key has to reach the last attribute
// that each key has.
func wholeObject(file []byte) error {
	last, err := lastAttribute(file)
	if err == nil && keyFile(file[wordBytes:]) && last < lastOfKey {
		err = fmt.Errorf("a key's attributes do not end with 0x%x", last)
	}
	return err
}

// lastAttribute returns the type of an object file's last attribute.
func lastAttribute(file []byte) (last uint64, err error) {
	rest, ok := skip(file, wordBytes)
	if !ok {
		return 0, errors.New("it has no generation number")
	}
	if len(rest) == 0 {
		return 0, errors.New("it has no attributes")
	}
	for len(rest) > 0 {
		if last, rest, err = attribute(rest); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// keyFile tells whether the attributes are those of a secret or a private key: CKA_CLASS
// has the lowest type and comes first.
func keyFile(attributes []byte) bool {
	var head [3 * wordBytes]byte
	copy(head[:], attributes)
	class := word(head[2*wordBytes:])
	return word(head[:]) == pkcs11.CKA_CLASS && word(head[wordBytes:]) == kindUlong &&
		(class == pkcs11.CKO_SECRET_KEY || class == pkcs11.CKO_PRIVATE_KEY)
}

// attribute returns the type of the first attribute and what follows it.
func attribute(b []byte) (attributeType uint64, rest []byte, err error) {
	value, ok := skip(b, 2*wordBytes)
	if !ok {
		return 0, nil, errors.New("it ends within the head of an attribute")
	}
	attributeType, kind := word(b), word(b[wordBytes:])
	if rest, err = skipValue(value, kind); err != nil {
		return 0, nil, fmt.Errorf("attribute 0x%x: %w", attributeType, err)
	}
	return attributeType, rest, nil
}

// skipValue returns what follows a value.
func skipValue(b []byte, kind uint64) ([]byte, error) {
	size := uint64(1) // of what the value counts
	switch kind {
	case kindBool:
		return skipped(b, 1)
	case kindUlong:
		return skipped(b, wordBytes)
	case kindBytes, kindAttributeMap:
	case kindMechanisms:
		size = wordBytes
	default:
		return nil, fmt.Errorf("its kind %d is unknown", kind)
	}
	counted, err := skipped(b, wordBytes)
	if err != nil {
		return nil, err
	}
	n := word(b)
	if n > uint64(len(counted))/size {
		return nil, errCut
	}
	return counted[n*size:], nil
}

// errCut: the file ends too soon.
var errCut = errors.New("the file ends within its value")

func skipped(b []byte, n int) ([]byte, error) {
	rest, ok := skip(b, n)
	if !ok {
		return nil, errCut
	}
	return rest, nil
}

// skip returns what follows n bytes; false if there are fewer.
func skip(b []byte, n int) ([]byte, bool) {
	if len(b) < n {
		return nil, false
	}
	return b[n:], true
}

func word(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
