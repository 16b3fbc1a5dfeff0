package kind_test

import (
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
)

// TestEveryKindHasAName walks the closed sets: names are unique, and no zero value has one.
func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kind.KeyTypes() {
		seen[k.String()] = true
	}
	if len(seen) != 13 || !seen["RSA-2048"] || !seen["Ed25519"] {
		t.Errorf("key types %v", seen)
	}
	for u := kind.Encrypt; u <= kind.Unwrap; u++ {
		seen[u.String()] = true
	}
	if len(seen) != 13+5 {
		t.Errorf("names %v", seen)
	}
	for _, none := range []string{
		kind.KeyType(0).String(), (kind.Ed25519 + 1).String(), kind.KeyType(-1).String(),
		kind.Use(0).String(), (kind.Unwrap + 1).String(), kind.Use(-1).String(),
	} {
		if !strings.Contains(none, "(") {
			t.Errorf("%q is the name of none", none)
		}
	}
}
