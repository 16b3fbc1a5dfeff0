package clients

import (
	"encoding/base64"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// createAndEncrypt prints the ARN of a new key, and its first argument encrypted
// under it.
const createAndEncrypt = `
KEY=$(aws kms create-key --query KeyMetadata.Arn --output text)
echo "$KEY"
aws kms encrypt --key-id "$KEY" --plaintext "$1" --query CiphertextBlob --output text
`

// Twelve users at a time lose nothing: each key that was answered is listed, what
// it encrypted decrypts to what was encrypted, and each request has its event.
func TestConcurrentCommandLines(t *testing.T) {
	type user struct {
		command        *exec.Cmd
		stdout, stderr strings.Builder
	}
	users := make([]user, 12)
	for i := range users {
		u := &users[i]
		u.command = command(t, t.TempDir(), "bash", "-euo", "pipefail", "-c", createAndEncrypt, "bash", fmt.Sprint("from user ", i))
		u.command.Stdout, u.command.Stderr = &u.stdout, &u.stderr
		if err := u.command.Start(); err != nil {
			t.Fatal(err)
		}
	}
	keys := make([]string, len(users))
	for i := range users {
		u := &users[i]
		if err := u.command.Wait(); err != nil {
			t.Fatalf("user %d: %v\n%s", i, err, &u.stderr)
		}
		key, blob, _ := strings.Cut(strings.TrimSpace(u.stdout.String()), "\n")
		expectPlaintext(t, key, blob, fmt.Sprint("from user ", i))
		keys[i] = key
	}
	listed := listKeys(t, newClient())
	for _, key := range keys {
		if !slices.Contains(listed, key) {
			t.Errorf("%s is not listed", key)
		}
	}
	expectEvents(t, keys)
}

// expectPlaintext decrypts, with the key that has to be its own, what the AWS
// command line has printed.
func expectPlaintext(t *testing.T, key, ciphertext, want string) {
	t.Helper()
	blob, err := base64.StdEncoding.DecodeString(ciphertext)
	if err != nil {
		t.Fatalf("the ciphertext is %q: %v", ciphertext, err)
	}
	opened, err := newClient().Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob, KeyId: &key})
	if err != nil {
		t.Errorf("%q does not decrypt: %v", want, err)
	} else if string(opened.Plaintext) != want {
		t.Errorf("%q decrypts to %q", want, opened.Plaintext)
	}
}

func listKeys(t *testing.T, client *kms.Client) []string {
	t.Helper()
	var all []string
	for pages := kms.NewListKeysPaginator(client, &kms.ListKeysInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range page.Keys {
			all = append(all, *key.KeyArn)
		}
	}
	return all
}

// expectEvents looks for one event of each request with a key.
func expectEvents(t *testing.T, keys []string) {
	t.Helper()
	counts := make(map[string]int) // by name and key
	for _, event := range events(t) {
		for _, resource := range event.Resources {
			if event.ErrorCode == "" {
				counts[event.EventName+" "+resource.ARN]++
			}
		}
	}
	for _, key := range keys {
		for _, name := range []string{"CreateKey", "Encrypt", "Decrypt"} {
			if got := counts[name+" "+key]; got != 1 {
				t.Errorf("%d events of %s with %s, want 1", got, name, key)
			}
		}
	}
}

// events returns all events of the server.
func events(t *testing.T) []harness.Event {
	t.Helper()
	all, err := dial(t).Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// dial connects to the server over gRPC, until the test ends.
func dial(t *testing.T) *harness.Client {
	t.Helper()
	client, err := harness.DialDev(grpcAddress, dataDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}
