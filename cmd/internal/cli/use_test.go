package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGrantTokensAndDryRuns gives the flags to every command whose request has the
// members.
func TestGrantTokensAndDryRuns(t *testing.T) {
	variables := startFake(t)
	input := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(input, []byte("message"), 0o600); err != nil {
		t.Fatal(err)
	}
	never := input + ".out"
	for _, tc := range []struct {
		command     string
		tokens, dry bool
	}{
		{"encrypt --key KEY -o NEVER INPUT", true, true},
		{"decrypt -o NEVER INPUT", true, true},
		{"reencrypt --key KEY -o NEVER INPUT", true, true},
		{"datakey --key KEY", true, true},
		{"datakey --key KEY --without-plaintext --json", true, true},
		{"data-key-pair --key KEY --spec RSA_2048", true, true},
		{"data-key-pair --key KEY --spec RSA_2048 --without-plaintext", true, true},
		{"sign --key KEY -a ECDSA_SHA_256 INPUT", true, true},
		{"verify --key KEY -a ECDSA_SHA_256 -s INPUT INPUT", true, true},
		{"mac generate --key KEY -a HMAC_SHA_256 INPUT", true, true},
		{"mac verify --key KEY -a HMAC_SHA_256 -m INPUT INPUT", true, true},
		{"derive --key KEY INPUT", true, true},
		{"grant create KEY --grantee arn:alice --operation Encrypt", true, true},
		{"grant retire --key KEY --grant g1", false, true},
		{"grant revoke KEY g1", false, true},
		{"key describe KEY", true, false},
		{"key public-key KEY", true, false},
		{"file seal --key KEY INPUT -o NEVER", true, false},
	} {
		args := strings.Fields(strings.NewReplacer("KEY", fakeKeyID, "INPUT", input, "NEVER", never).Replace(tc.command))
		if tc.tokens {
			got := run(t.Context(), variables, "", slices.Concat(args, []string{"--grant-token", "a,b", "--grant-token", "show"})...)
			if got.status != 1 || !strings.Contains(got.stderr, `InvalidGrantTokenException: ["a,b" "show"]`) {
				t.Errorf("%s with grant tokens: %+v", tc.command, got)
			}
		}
		if tc.dry {
			got := run(t.Context(), variables, "", append(args, "--dry-run")...)
			if got.status != 0 || got.stderr != "" || got.stdout != "The request would have succeeded. Nothing was done.\n" {
				t.Errorf("%s as a dry run: %+v", tc.command, got)
			}
		}
	}
	if _, err := os.Stat(never); err == nil {
		t.Error("a request that was not made has written its output")
	}
}
