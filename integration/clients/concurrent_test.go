package clients

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// made is a key of one command line and what another encrypted with it.
type made struct {
	key, plaintext string
	ciphertext     []byte
}

// Twelve users at a time lose nothing: each key that was answered is listed, what
// it encrypted decrypts to what was encrypted, and each request has its event.
func TestConcurrentCommandLines(t *testing.T) {
	const users = 12
	results := make(chan made, users)
	var wg sync.WaitGroup
	for user := range users {
		wg.Go(func() {
			m, err := createAndEncrypt(t, fmt.Sprintf("from user %d", user))
			if err != nil {
				t.Error(err)
				return
			}
			results <- m
		})
	}
	wg.Wait()
	close(results)
	if len(results) != users {
		t.Fatalf("%d of %d were answered", len(results), users)
	}
	client := newClient()
	listed := listKeys(t, client)
	var keys []string
	for m := range results {
		if !slices.Contains(listed, m.key) {
			t.Errorf("%s is not listed", m.key)
		}
		opened, err := client.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: m.ciphertext, KeyId: &m.key})
		if err != nil {
			t.Errorf("%q does not decrypt: %v", m.plaintext, err)
		} else if string(opened.Plaintext) != m.plaintext {
			t.Errorf("%q decrypts to %q", m.plaintext, opened.Plaintext)
		}
		keys = append(keys, m.key)
	}
	expectEvents(t, keys)
}

// createAndEncrypt runs the AWS command line twice.
func createAndEncrypt(t *testing.T, plaintext string) (made, error) {
	create := command(t, t.TempDir(), "aws", "kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text")
	key, err := create.Output()
	if err != nil {
		return made{}, fmt.Errorf("%s: creating a key: %w", plaintext, err)
	}
	m := made{key: strings.TrimSpace(string(key)), plaintext: plaintext}
	encrypt := command(t, t.TempDir(), "aws", "kms", "encrypt", "--key-id", m.key,
		"--plaintext", plaintext, "--query", "CiphertextBlob", "--output", "text")
	blob, err := encrypt.Output()
	if err != nil {
		return made{}, fmt.Errorf("%s: encrypting: %w", plaintext, err)
	}
	m.ciphertext, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(blob)))
	return m, err
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
