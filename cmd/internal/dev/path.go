package dev

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// program is what the commands of the banner call.
const program = "strongroom"

// pathLine is the line of the banner that makes `strongroom` mean the running
// program, or nothing if it does already, or has another name.
func pathLine(self string) string {
	if filepath.Base(self) != program || found(self) {
		return ""
	}
	return fmt.Sprintf("    export PATH=%s:\"$PATH\"\n", shellQuote(filepath.Dir(self)))
}

// found reports whether PATH leads to this very file.
func found(self string) bool {
	path, err := exec.LookPath(program)
	if err != nil {
		return false
	}
	first, err := os.Stat(path)
	if err != nil {
		return false
	}
	second, err := os.Stat(self)
	return err == nil && os.SameFile(first, second)
}
