package integration

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// expectNowhere searches every place for every secret in every spelling.
func expectNowhere(t *testing.T, secrets map[string][]byte, places map[string]string) {
	t.Helper()
	for name, secret := range secrets {
		if len(secret) < 16 {
			t.Errorf("the secret %s has only %d bytes, too few to search for", name, len(secret))
			continue
		}
		for place, text := range places {
			if spelling := findSecret(text, secret); spelling != "" {
				t.Errorf("the secret %s stands in %s, %s", name, place, spelling)
			}
		}
	}
}

// findSecret returns how a secret is spelled in a text, or "" if it is not there.
func findSecret(text string, secret []byte) string {
	for spelling, s := range spellings(secret) {
		if strings.Contains(text, s) {
			return spelling
		}
	}
	return ""
}

// spellings are the ways in which programs print bytes. Of a long secret the
// beginning is enough.
func spellings(secret []byte) map[string]string {
	secret = secret[:min(len(secret), 24)]
	quoted := fmt.Sprintf("%q", secret)
	decimals := strings.Trim(fmt.Sprintf("%d", secret), "[]")
	all := map[string]string{
		"as it is":               string(secret),
		"in hexadecimal":         hex.EncodeToString(secret),
		"in upper hexadecimal":   strings.ToUpper(hex.EncodeToString(secret)),
		"quoted":                 quoted[1 : len(quoted)-1],
		"as a list of decimals":  decimals,
		"as a list with commas":  strings.ReplaceAll(decimals, " ", ","),
		"as spaced hexadecimals": fmt.Sprintf("% x", secret),
	}
	// Base64 spells bytes in three ways, after what comes before them. The
	// characters at both ends depend on the neighbours.
	for shift := range 3 {
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "URL base64": base64.RawURLEncoding} {
			padded := encoding.EncodeToString(append(make([]byte, shift), secret...))
			all[fmt.Sprintf("in %s, shifted by %d", name, shift)] = padded[(shift*8+5)/6 : len(secret)*8/6]
		}
	}
	return all
}

// The search finds what it is for.
func TestFindSecret(t *testing.T) {
	secret := []byte("\x00secret \"words\" of bytes\xff\xfe")
	for name, text := range map[string]string{
		"plain":          "x" + string(secret) + "y",
		"%x":             fmt.Sprintf("key=%x", secret),
		"%X":             fmt.Sprintf("key=%X", secret),
		"%q":             fmt.Sprintf("key=%q", secret),
		"%v":             fmt.Sprintf("key=%v", secret),
		"JSON":           `{"plaintext":"` + base64.StdEncoding.EncodeToString(secret) + `"}`,
		"base64 after 1": base64.StdEncoding.EncodeToString(append([]byte("a"), secret...)),
		"base64 after 2": base64.URLEncoding.EncodeToString(append([]byte("ab"), secret...)),
		"base64 between": base64.StdEncoding.EncodeToString(append(append([]byte("ab"), secret...), "after"...)),
	} {
		if findSecret(text, secret) == "" {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
	if spelling := findSecret("nothing of it in here", secret); spelling != "" {
		t.Errorf("found where it is not, %s", spelling)
	}
}
