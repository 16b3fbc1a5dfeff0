//go:build cgo

package worker

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestRaiseGeneration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, generationFile)
	if err := raiseGeneration(dir); err == nil {
		t.Error("a token without the file")
	}
	for _, test := range []struct{ before, after []byte }{
		{[]byte{0, 0, 0, 0, 0, 0, 0, 1}, []byte{0, 0, 0, 0, 0, 0, 0, 2}},
		{[]byte{0, 0, 0, 0, 0, 0, 1, 255}, []byte{0, 0, 0, 0, 0, 0, 2, 0}},
	} {
		if err := os.WriteFile(path, test.before, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := raiseGeneration(dir); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, test.after) {
			t.Errorf("%v becomes %v, want %v; %v", test.before, got, test.after, err)
		}
	}
	if err := os.WriteFile(path, []byte{1}, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := raiseGeneration(dir); err == nil {
		t.Error("a file that is cut short is raised")
	}
}

func TestSoftHSMTokenOfASerialNumber(t *testing.T) {
	dir := t.TempDir()
	const name = "73357c4c-2f33-2d44-c3bf-f39a1ed8c9b6"
	for _, token := range []string{name, "73357c4c-2f33-2d44-c3bf-000000000000", ".keep"} {
		if err := os.Mkdir(filepath.Join(dir, token), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := softhsmToken(dir, "c3bff39a1ed8c9b6"); err != nil || filepath.Base(got) != name {
		t.Errorf("got %q, %v", got, err)
	}
	for _, serial := range []string{"", "0123456789abcdef"} {
		if got, err := softhsmToken(dir, serial); err == nil {
			t.Errorf("serial number %q is that of %q", serial, got)
		}
	}
}
