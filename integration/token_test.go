package integration

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Somebody else's program, with the PIN and the token in its hands, sees the
// key as one that cannot leave the token, and cannot get it out.
func TestKeyCannotLeaveTheToken(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("pkcs11-tool"); err != nil {
		t.Skip("pkcs11-tool is not installed; `make test` installs it (package opensc)")
	}
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	id := backingKey(t, client, key)

	t.Run("attributes", func(t *testing.T) {
		out, err := pkcs11Tool(t, site.Token, "--list-objects", "--type", "secrkey", "--id", id)
		if err != nil {
			t.Fatalf("listing the key: %v\n%s", err, out)
		}
		for _, want := range []string{
			"AES length 32", "label:      " + key,
			"Access:     sensitive, always sensitive, never extractable, local",
			"Usage:      encrypt, decrypt\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("pkcs11-tool does not show %q:\n%s", want, out)
			}
		}
	})
	t.Run("read", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "value")
		out, err := pkcs11Tool(t, site.Token, "--read-object", "--type", "secrkey", "--id", id, "--output-file", file)
		if !refused(out, err, "CKR_ATTRIBUTE_SENSITIVE") {
			t.Errorf("reading the key's value: %v, want CKR_ATTRIBUTE_SENSITIVE\n%s", err, out)
		}
	})
	t.Run("wrap", func(t *testing.T) {
		const wrapping = "77"
		out, err := pkcs11Tool(t, site.Token, "--keygen", "--key-type", "AES:32", "--usage-wrap", "--id", wrapping, "--label", "thief")
		if err != nil {
			t.Fatalf("making a wrapping key: %v\n%s", err, out)
		}
		file := filepath.Join(t.TempDir(), "wrapped")
		out, err = pkcs11Tool(t, site.Token, "--wrap", "--mechanism", "AES-KEY-WRAP", "--id", wrapping, "--application-id", id, "--output-file", file)
		if !refused(out, err, "CKR_KEY_UNEXTRACTABLE") {
			t.Errorf("wrapping the key: %v, want CKR_KEY_UNEXTRACTABLE\n%s", err, out)
		}
	})
}

// backingKey returns the CKA_ID of the key's material, in hexadecimal.
func backingKey(t *testing.T, client *harness.Client, key string) string {
	t.Helper()
	if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
		t.Fatal(err)
	}
	for _, e := range allEvents(t, client) {
		if id, ok := e.AdditionalEventData["backingKeyId"].(string); ok && e.EventName == "Encrypt" {
			return id
		}
	}
	t.Fatal("no event names the backing key")
	return ""
}

func pkcs11Tool(t *testing.T, token *harness.Token, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"--module", token.Library, "--token-label", harness.TokenLabel, "--login", "--pin", token.PIN}, args...)
	cmd := exec.CommandContext(within(t, 30*time.Second), "pkcs11-tool", args...)
	cmd.Env = token.Env()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// refused reports whether the token, and not the tool, said no.
func refused(out string, err error, code string) bool {
	return err != nil && strings.Contains(out, code)
}
