package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// What opencryptoki's soft token can do it does for Strongroom. It has neither AES-GCM nor
// curves in Debian 12.
func TestOpenCryptokiServes(t *testing.T) {
	o := newOpenCryptoki(t)
	site := o.site(t)
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)

	expectUnsupported(t, client, kmsv1.KeySpec_KEY_SPEC_ECC_NIST_EDWARDS25519, kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY, "CKM_EC_EDWARDS_KEY_PAIR_GEN")
	expectUses(t, server, client,
		publicEncryption(t, client),
		signing(t, client, kmsv1.KeySpec_KEY_SPEC_RSA_2048, kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PSS_SHA_256),
		macing(t, client),
		randomness(client),
	)
}

// opencryptoki counts wrong PINs and locks. With one try left no PIN is tried, not even
// the right one, until somebody has logged in by another program.
func TestOpenCryptokiIsNotLocked(t *testing.T) {
	o := newOpenCryptoki(t)
	site := o.site(t)

	for _, want := range []string{"USER_PIN_COUNT_LOW", "USER_PIN_FINAL_TRY"} {
		if out, err := o.login(t, "wrong999"); err == nil {
			t.Fatalf("the token takes a wrong PIN: %s", out)
		}
		o.expectFlag(t, want)
	}
	refused, err := site.Spawn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(refused.Kill)
	if _, err := refused.Stderr.Await(within(t, 30*time.Second), refused.Exited(), "allows one last try of the user PIN"); err != nil {
		t.Fatal(err)
	}
	refused.Kill()
	o.expectFlag(t, "USER_PIN_FINAL_TRY")

	if out, err := o.login(t, o.token.PIN); err != nil {
		t.Fatalf("the operator's login: %v\n%s", err, out)
	}
	server := start(t, site)
	if err := randomness(dial(t, site, server, harness.Admin)).do(within(t, 30*time.Second)); err != nil {
		t.Errorf("after the operator's login: %v", err)
	}
}

// openCryptoki is IBM's software token in a mount namespace of the test's own, since
// the paths of its daemon, configuration, tokens, socket and shared memory are fixed.
type openCryptoki struct {
	token  *harness.Token
	daemon *harness.Process
}

// The PINs; the token takes eight characters at most, and is delivered with deliveredSOPIN.
const (
	deliveredSOPIN      = "87654321"
	openCryptokiSOPIN   = "officer8"
	openCryptokiUserPIN = "user4711"
)

// openCryptokiDaemon makes the directories and becomes the daemon. $1 holds the
// configuration.
const openCryptokiDaemon = `
for dir in /run /dev/shm /var/lib/opencryptoki; do mount -t tmpfs tmpfs $dir; done
mount --bind "$1" /etc/opencryptoki
mkdir -p /run/lock/opencryptoki/strongroom /var/lib/opencryptoki/strongroom/TOK_OBJ
exec pkcsslotd -f`

// newOpenCryptoki starts the daemon and initialises a token.
func newOpenCryptoki(t *testing.T) *openCryptoki {
	t.Helper()
	library := needOpenCryptoki(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	if err := os.Mkdir(conf, 0o700); err != nil {
		t.Fatal(err)
	}
	slots := "version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\ntokname = strongroom\n}\n"
	if err := os.WriteFile(filepath.Join(conf, "opencryptoki.conf"), []byte(slots), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon, err := harness.Spawn(exec.CommandContext(context.WithoutCancel(t.Context()),
		"unshare", "--mount", "sh", "-eu", "-c", openCryptokiDaemon, "sh", conf))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(daemon.Kill)
	o := &openCryptoki{daemon: daemon, token: &harness.Token{
		Library: library, PIN: openCryptokiUserPIN, PINFile: filepath.Join(dir, "pin"),
	}}
	o.awaitSocket(t)
	o.initialise(t)
	return o
}

// needOpenCryptoki returns the path of the library.
func needOpenCryptoki(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/pkcs11/libopencryptoki.so")
	if _, missing := exec.LookPath("pkcsslotd"); missing != nil || err != nil || len(found) == 0 {
		t.Skip("opencryptoki is not installed (Debian's packages opencryptoki and libopencryptoki0)")
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "true").CombinedOutput(); err != nil || os.Geteuid() != 0 {
		t.Skipf("opencryptoki needs root, and a mount namespace of its own: %v %s", err, out)
	}
	return found[0]
}

// awaitSocket waits for the daemon's socket: nothing else tells that it listens.
func (o *openCryptoki) awaitSocket(t *testing.T) {
	t.Helper()
	socket := fmt.Sprintf("/proc/%d/root/run/pkcsslotd.socket", o.daemon.PID())
	ctx := within(t, 30*time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-o.daemon.Exited():
			t.Fatalf("pkcsslotd has ended: %s", o.daemon.Stderr)
		case <-ctx.Done():
			t.Fatalf("pkcsslotd does not listen: %s", o.daemon.Stderr)
		}
		if _, err := os.Stat(socket); err == nil {
			return
		}
	}
}

// initialise makes the token as its administrator would.
func (o *openCryptoki) initialise(t *testing.T) {
	t.Helper()
	for _, step := range [][]string{
		{"-I", "-S", deliveredSOPIN},
		{"-P", "-S", deliveredSOPIN, "-n", openCryptokiSOPIN},
		{"-u", "-S", openCryptokiSOPIN, "-n", openCryptokiUserPIN},
	} {
		cmd := o.command(t, append([]string{"pkcsconf", "-c", "0"}, step...)...)
		cmd.Stdin = strings.NewReader(harness.TokenLabel + "\n") // -I asks for it
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("pkcsconf %s: %v\n%s", step[0], err, out)
		}
	}
}

// command is a program that sees the token.
func (o *openCryptoki) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(within(t, 30*time.Second), "nsenter", append(o.namespace(), args...)...)
}

func (o *openCryptoki) namespace() []string {
	return []string{fmt.Sprintf("--mount=/proc/%d/ns/mnt", o.daemon.PID()), "--"}
}

// login logs in by somebody else's program.
func (o *openCryptoki) login(t *testing.T, pin string) (string, error) {
	t.Helper()
	out, err := o.command(t, "pkcsconf", "-c", "0", "-p", "-U", pin, "-n", openCryptokiUserPIN).CombinedOutput()
	return string(out), err
}

// expectFlag looks for a flag of the token.
func (o *openCryptoki) expectFlag(t *testing.T, flag string) {
	t.Helper()
	out, err := o.command(t, "pkcsconf", "-c", "0", "-t").CombinedOutput()
	if err != nil || !strings.Contains(string(out), flag) {
		t.Fatalf("the token does not say %s: %v\n%s", flag, err, out)
	}
}

// site is one whose server runs where the token is to be seen.
func (o *openCryptoki) site(t *testing.T) *harness.Site {
	t.Helper()
	program := filepath.Join(t.TempDir(), "strongroom")
	script := fmt.Sprintf("#!/bin/sh\nexec nsenter %s %s \"$@\"\n", strings.Join(o.namespace(), " "), binary)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return newVendorSite(t, program, o.token, nil)
}
