package dev

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAServerThatNothingWillEndIsTold(t *testing.T) {
	null, err := os.Open(os.DevNull)
	r, w, err2 := os.Pipe()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(null.Close(), r.Close(), w.Close()) })
	tests := []struct {
		name   string
		parent int
		stdin  io.Reader
		want   bool
	}{
		{"adopted, no end of stdin", 1, null, true},
		{"outside of the namespace, no end of stdin", 0, null, true},
		{"adopted, a pipe", 1, r, false},
		{"adopted, a socket", 1, socket(t), false},
		{"adopted, nothing that can be watched", 1, strings.NewReader(""), true},
		{"a parent, no end of stdin", 2, null, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := stray(tc.parent, tc.stdin); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// socket returns a connection as a file.
func socket(t *testing.T) *os.File {
	t.Helper()
	lis, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	conn, err := net.Dial("unix", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	f, err := conn.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
