package devserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// libraryPatterns are the places where operating systems install SoftHSM.
func libraryPatterns() []string {
	return []string{
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/*/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/lib64/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
		"/opt/homebrew/lib/softhsm/libsofthsm2.so",
	}
}

// findLibrary returns the path of the SoftHSM library: the given one, or one
// that matches a pattern.
func findLibrary(given string, patterns []string) (string, error) {
	if given != "" {
		path, err := filepath.Abs(given)
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("looking for the SoftHSM library: %w", err)
		}
		return path, nil
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("looking for the SoftHSM library in %s: %w", pattern, err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("SoftHSM is not installed (on Debian: apt-get install softhsm2), or its library is in none of the usual places: %s",
		strings.Join(patterns, ", "))
}
