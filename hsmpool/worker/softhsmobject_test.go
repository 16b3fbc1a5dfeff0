//go:build cgo

package worker

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// objectFiles returns the files of the token's objects.
func (t *testToken) objectFiles(tb testing.TB) []string {
	tb.Helper()
	all, err := filepath.Glob(filepath.Join(t.dir, "*", "*.object"))
	if err != nil {
		tb.Fatal(err)
	}
	var objects []string
	for _, path := range all {
		if filepath.Base(path) != "token.object" {
			objects = append(objects, path)
		}
	}
	return objects
}

// TestEveryTruncationIsSeen cuts the file of a real key at every byte, so also between
// two attributes, where what is left looks well.
func TestEveryTruncationIsSeen(t *testing.T) {
	token := newTestToken(t)
	token.generate(t)
	files := token.objectFiles(t)
	if len(files) != 1 {
		t.Fatalf("the key has the files %q", files)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := wholeObject(whole); err != nil {
		t.Errorf("the file of a good key: %v", err)
	}
	for n := range whole {
		if wholeObject(whole[:n]) == nil {
			t.Errorf("the first %d of %d bytes pass for a whole file", n, len(whole))
		}
	}
	if wholeObject(append(whole, 0)) == nil {
		t.Error("a byte behind the last attribute is not seen")
	}
}

// TestOtherObjectsAreWhole: SoftHSM keeps the token itself as an object, with other
// attributes than a key.
func TestOtherObjectsAreWhole(t *testing.T) {
	token := newTestToken(t)
	paths, err := filepath.Glob(filepath.Join(token.dir, "*", "token.object"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("the token's own object: %q, %v", paths, err)
	}
	if err := checkObjects(append(paths, filepath.Join(token.dir, "gone.object"))); err != nil {
		t.Errorf("checkObjects: %v", err)
	}
}

// words is a file of integers.
func words(ws ...uint64) []byte {
	var b []byte
	for _, w := range ws {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return b
}

func TestWholeObject(t *testing.T) {
	for _, test := range []struct {
		name string
		file []byte
		want string // "": whole
	}{
		{"each kind", append(words(1, 0, kindUlong, 0, 7, kindBytes, 0, 8, kindAttributeMap, 0, 9, kindMechanisms, 1, 0x1087, 10, kindBool), 1), ""},
		{"empty", nil, "no generation number"},
		{"only a generation number", words(1), "no attributes"},
		{"half a head", words(1, 7), "head of an attribute"},
		{"an unknown kind", words(1, 7, 6, 0), "attribute 0x7: its kind 6 is unknown"},
		{"no bool", words(1, 7, kindBool), "attribute 0x7: the file ends"},
		{"no integer", words(1, 7, kindUlong), "attribute 0x7: the file ends"},
		{"no length", words(1, 7, kindBytes), "attribute 0x7: the file ends"},
		{"a byte string that is cut", words(1, 7, kindBytes, 9, 0), "attribute 0x7: the file ends"},
		{"a length beyond all bounds", words(1, 7, kindMechanisms, 1<<61, 0), "attribute 0x7: the file ends"},
		{"a secret key without its last attribute", words(1, 0, kindUlong, 4, 0x161, kindUlong, 32), "do not end with 0x161"},
		{"a secret key with it", words(1, 0, kindUlong, 4, lastOfKey, kindMechanisms, 0), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := wholeObject(test.file)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestPartlyWrittenKeyIsDestroyed has the disk lose the end of a new key's file, as
// SoftHSM does on a full disk: the key is refused, no key is left of it, and the next
// one can be made.
func TestPartlyWrittenKeyIsDestroyed(t *testing.T) {
	token := newTestToken(t)
	sync := token.manager.sync
	for _, test := range []struct {
		size int64 // of the file
		left int   // files: SoftHSM does not see one that is shorter than its first integer
	}{{818, 0}, {300, 0}, {8, 0}, {7, 1}, {0, 1}} {
		t.Run(fmt.Sprintf("%d bytes", test.size), func(t *testing.T) {
			before := len(token.objectFiles(t))
			token.manager.sync = cutting(t, sync, test.size)
			id := objectID{byte(test.size)}
			_, _, err := token.manager.generate(aesRequest(id), "request")
			if err == nil {
				t.Fatal("the key was accepted")
			}
			expectFullDisk(t, failed(err).GetFailure(), token.dir)
			if left := len(token.objectFiles(t)) - before; left != test.left || token.objects.known(id) != nil {
				t.Errorf("%d files are left of the key, want %d", left, test.left)
			}
			token.manager.sync = sync
			token.generate(t)
		})
	}
}

// cutting cuts every new object's file after it has been synced.
func cutting(tb testing.TB, sync func() ([]string, error), size int64) func() ([]string, error) {
	return func() ([]string, error) {
		made, err := sync()
		for _, path := range made {
			if err := os.Truncate(path, size); err != nil {
				tb.Error(err)
			}
		}
		return made, err
	}
}

// expectFullDisk expects a failure that tells an operator what to do.
func expectFullDisk(tb testing.TB, f *workerv1.Failure, dir string) {
	tb.Helper()
	if f.GetClass() != workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE || f.GetRestart() {
		tb.Errorf("the failure is %v", f)
	}
	for _, want := range []string{dir, ".object", "token directory", "probably full"} {
		if !strings.Contains(f.GetMessage(), want) {
			tb.Errorf("the error does not say %q: %s", want, f.GetMessage())
		}
	}
}

// FuzzWholeObject: no file makes it panic, and no whole file stays one with a byte more.
func FuzzWholeObject(f *testing.F) {
	f.Add(words(1, 7, kindBytes, 8, 0, 8, kindMechanisms, 1, 0x1087))
	f.Add(words(1, 0, kindUlong, 4, lastOfKey, kindMechanisms, 0))
	f.Fuzz(func(t *testing.T, file []byte) {
		if wholeObject(file) == nil && wholeObject(append(file, 0)) == nil {
			t.Errorf("%x is whole, with and without a zero behind it", file)
		}
	})
}
