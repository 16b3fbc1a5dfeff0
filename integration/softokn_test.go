package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// NSS's token, which has AES-GCM and curves, serves as SoftHSM's does; many sessions
// use it at a time.
func TestSoftoknServes(t *testing.T) {
	t.Parallel()
	token, env := newSoftokn(t)
	site := newVendorSite(t, binary, token, env)
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)

	expectUnsupported(t, client, kmsv1.KeySpec_KEY_SPEC_ECC_SECG_P256_K1, kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY, "CKR_DOMAIN_PARAMS_INVALID")
	expectUses(t, server, client,
		sealing(t, client),
		publicEncryption(t, client),
		signing(t, client, kmsv1.KeySpec_KEY_SPEC_RSA_2048, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_256),
		signing(t, client, kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256),
		macing(t, client),
		randomness(client),
	)
}

// A PIN that the token refuses is told with the function and the code.
func TestSoftoknRefusesAPIN(t *testing.T) {
	t.Parallel()
	token, env := newSoftokn(t)
	token.PIN += "x"
	refused, err := newVendorSite(t, binary, token, env).Spawn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(refused.Kill)
	if _, err := refused.Stderr.Await(within(t, 30*time.Second), refused.Exited(), "C_Login: CKR_PIN_INCORRECT"); err != nil {
		t.Fatal(err)
	}
}

// newSoftokn makes NSS's token, by its administrator's tool, and returns it with the
// environment of a process that uses it.
func newSoftokn(t *testing.T) (*harness.Token, map[string]string) {
	t.Helper()
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Skip("NSS's token is not installed; `make test` installs it (package libnss3-tools)")
	}
	dir := t.TempDir()
	token := &harness.Token{
		Library: filepath.Join(dir, "softokn.so"),
		PIN:     "nss-pin-4711", PINFile: filepath.Join(dir, "pin"),
	}
	if err := harness.Compile(t.Context(), token.Library, "-shared", "-fPIC", "testdata/softokn.c"); err != nil {
		t.Fatal(err)
	}
	if err := token.WritePIN(token.PIN); err != nil {
		t.Fatal(err)
	}
	keys := "sql:" + filepath.Join(dir, "keys")
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(within(t, time.Minute), "certutil", "-N", "-d", keys, "-f", token.PINFile).CombinedOutput(); err != nil {
		t.Fatalf("making a token with certutil: %v\n%s", err, out)
	}
	return token, map[string]string{"SOFTOKN_PARAMETERS": fmt.Sprintf(
		"configdir='%s' certPrefix='' keyPrefix='' secmod='' flags= dbTokenDescription='%s'", keys, harness.TokenLabel)}
}
