package integration

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// `hsm orphans` finds what somebody else's program has done to the token while
// the server runs, says whose it is, and leaves it alone.
func TestOrphansAreFound(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("pkcs11-tool"); err != nil {
		t.Skip("pkcs11-tool is not installed; `make test` installs it (package opensc)")
	}
	site := newSite(t, harness.Options{})
	server := start(t, site)
	env := clientEnv(site, server, harness.Auditor)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	material := backingKey(t, client, key)
	expectOrphans(t, env, 0, "Every key in the HSMs belongs to a KMS key")

	onToken(t, site.Token, "--keygen", "--key-type", "AES:32", "--id", "77", "--label", "vpn")
	expectOrphans(t, env, 0, " 77 ", " elsewhere ", " vpn\n")
	onToken(t, site.Token, "--keygen", "--key-type", "AES:32", "--id", strings.Repeat("5a", 16), "--label", key)
	expectOrphans(t, env, 3, " "+strings.Repeat("5a", 16)+" ", " here ", " "+key+"\n")
	onToken(t, site.Token, "--delete-object", "--type", "secrkey", "--id", strings.Repeat("5a", 16))
	expectOrphans(t, env, 0, " vpn\n")
	onToken(t, site.Token, "--delete-object", "--type", "secrkey", "--id", material)
	expectOrphans(t, env, 3, " vpn\n", key+"  "+material, "encrypt, decrypt\n")
}

// onToken does something to the token behind the server's back.
func onToken(t *testing.T, token *harness.Token, args ...string) {
	t.Helper()
	if out, err := pkcs11Tool(t, token, args...); err != nil {
		t.Fatalf("pkcs11-tool %v: %v\n%s", args, err, out)
	}
}

// expectOrphans expects of `hsm orphans` an exit status and words.
func expectOrphans(t *testing.T, env []string, status int, words ...string) {
	t.Helper()
	stdout, stderr, err := strongroom(t, env, "hsm", "orphans")
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	}
	if code != status || stderr != "" {
		t.Errorf("the exit status is %d, want %d: %v\n%s%s", code, status, err, stdout, stderr)
	}
	for _, word := range words {
		if !strings.Contains(stdout, word) {
			t.Errorf("hsm orphans does not show %q:\n%s", word, stdout)
		}
	}
}
