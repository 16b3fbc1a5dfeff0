package dev

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPathLine(t *testing.T) {
	dir, elsewhere, link := filepath.Join(t.TempDir(), "it's"), t.TempDir(), t.TempDir()
	self := filepath.Join(dir, "strongroom")
	other := filepath.Join(elsewhere, "strongroom")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{self, other} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // it is a program
			t.Fatal(err)
		}
	}
	if err := os.Symlink(self, filepath.Join(link, "strongroom")); err != nil {
		t.Fatal(err)
	}
	line := "    export PATH=" + shellQuote(dir) + ":\"$PATH\"\n"
	tests := []struct {
		name, self, path, want string
	}{
		{"not on PATH", self, t.TempDir(), line},
		{"on PATH", self, dir, ""},
		{"by a link", self, link, ""},
		{"another one comes first", self, elsewhere + ":" + dir, line},
		{"another name", filepath.Join(dir, "cli.test"), t.TempDir(), ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("PATH", tc.path)
			if got := pathLine(tc.self); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
