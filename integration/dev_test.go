package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// startLimit is how long `strongroom dev` may take until it serves.
const startLimit = 2 * time.Second

// From nothing to serving in two seconds, and the next time with the same keys.
func TestDevServesAtOnceAndKeepsItsKeys(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(t.TempDir(), "dev")
	began := time.Now()
	server, client := startDev(t, dataDir)
	if took := time.Since(began); took > startLimit {
		t.Errorf("the first start took %v, want at most %v", took, startLimit)
	}
	if !strings.Contains(server.Stdout.String(), "NOT FOR PRODUCTION") {
		t.Errorf("the development server does not say what it is:\n%s", server.Stdout)
	}
	key := newKey(t, client)
	sealed, err := encrypt(t.Context(), client, key)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, server.Process)

	began = time.Now()
	_, client = startDev(t, dataDir)
	if took := time.Since(began); took > startLimit {
		t.Errorf("the second start took %v, want at most %v", took, startLimit)
	}
	res, err := client.KMS.Decrypt(t.Context(), &kmsv1.DecryptRequest{CiphertextBlob: sealed.blob, KeyId: &key})
	if err != nil || string(res.GetPlaintext()) != plaintext {
		t.Errorf("after the second start the first one's ciphertext decrypts to %q, %v", res.GetPlaintext(), err)
	}
}

// What the banner says to paste works in a shell.
func TestDevSaysWhatToPaste(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(t.TempDir(), "it's dev") // a name that needs quoting
	server, _ := startDev(t, dataDir)
	_, script, ok := strings.Cut(server.Stdout.String(), "paste into another shell:\n")
	if !ok {
		t.Fatalf("the banner says nothing to paste:\n%s", server.Stdout)
	}
	script, more, _ := strings.Cut(script, "strongroom events tail\n")
	_, forAWS, _ := strings.Cut(more, "the file above tells them so:\n")
	forAWS, more, _ = strings.Cut(forAWS, "A custom key store on a token of its own:\n")
	if got := shell(t, script); got != "hello\n" {
		t.Errorf("the pasted commands print %q, want hello", got)
	}
	more, _, _ = strings.Cut(more, "CloudTrail log files")
	environment, _, _ := strings.Cut(script, "KEY=")
	if got := shell(t, "PATH="+clientTools(t)+":$PATH\n"+environment+forAWS); !strings.Contains(got, `"KeyState": "Enabled"`) {
		t.Errorf("the pasted command for AWS prints %q, want a key", got)
	}
	if got := shell(t, environment+more); !strings.HasPrefix(got, "Key store cks-") {
		t.Errorf("the pasted commands print %q, want a key store", got)
	}
}

func TestDevTourShowsBothTrails(t *testing.T) {
	t.Parallel()
	server, _ := startDev(t, filepath.Join(t.TempDir(), "dev"), "--tour")
	for _, want := range []string{
		"eventName: CreateKey", "eventName: Encrypt", "eventName: Decrypt",
		"Opcode : CN_GENERATE_KEY (0x17)", "Response : 0:HSM Return: SUCCESS",
	} {
		if !strings.Contains(server.Stdout.String(), want) {
			t.Errorf("the tour does not show %q:\n%s", want, server.Stdout)
		}
	}
}

func TestDevRefusesOtherMachines(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(t.TempDir(), "dev")
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0"} {
		_, stderr, err := strongroom(t, nil, "dev", "--data-dir", dataDir, "--listen", address)
		if err == nil || !strings.Contains(stderr, "loopback") {
			t.Errorf("dev --listen %s: %v, %q; want a refusal that says why", address, err, stderr)
		}
	}
	if _, err := os.Stat(dataDir); err == nil {
		t.Error("a refused start left a data directory")
	}
}
