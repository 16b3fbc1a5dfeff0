package integration

import (
	"context"
	"crypto/rand"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// After kill -9 while keys are being created, the token and the metadata have
// the same keys: each that a client was told of, none that nobody knows, and
// every one with its event.
func TestServerKilledWhileCreatingKeys(t *testing.T) {
	site := newSite(t, harness.Options{})
	var created []string
	for range killCount(t) {
		server := start(t, site)
		created = append(created, createUntilKilled(t, dial(t, site, server, harness.Admin), server)...)

		server = start(t, site)
		client := dial(t, site, server, harness.Admin)
		keys := listKeys(t, client)
		for _, key := range created {
			if !slices.Contains(keys, key) {
				t.Errorf("a client was told of %s, which does not exist", key)
			}
		}
		if got := keysOfKMS(t, client); got != len(keys) {
			t.Errorf("there are %d keys of KMS on the token, and %d in the metadata", got, len(keys))
		}
		expectCreations(t, client, keys)
		for _, key := range keys {
			if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
				t.Errorf("using %s: %v", key, err)
			}
		}
		stop(t, server.Process)
		mustRun(t, nil, "audit", "verify", site.DataDir)
	}
	t.Logf("clients were told of %d keys", len(created))
}

// createUntilKilled creates keys and kills the server meanwhile. It returns the
// keys that clients were told of.
func createUntilKilled(t *testing.T, client *harness.Client, server *harness.Server) []string {
	t.Helper()
	extra, err := rand.Int(rand.Reader, big.NewInt(20))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var keys []string
	var once sync.Once
	more := func(done int64) bool {
		if done > extra.Int64() {
			go once.Do(server.Kill)
		}
		return true
	}
	_, err = harness.Load(within(t, time.Minute), 8, more, func(ctx context.Context, _ int) error {
		key, err := client.NewKey(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, key)
		return nil
	})
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("the load ended with %v, want the end of the server", err)
	}
	<-server.Exited()
	return keys
}

// keysOfKMS returns how many keys are on the token beside the one that signs digests.
func keysOfKMS(t *testing.T, client *harness.Client) int {
	t.Helper()
	answer, err := client.Operator.DescribeAudit(within(t, 10*time.Second), &operatorv1.DescribeAuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	keys := int(describeHSM(t, client).GetKeys())
	for _, k := range answer.GetSigningKeys() {
		if k.Retired == nil {
			keys--
		}
	}
	return keys
}

// listKeys returns the ARNs of all keys.
func listKeys(t *testing.T, client *harness.Client) []string {
	t.Helper()
	res, err := client.KMS.ListKeys(within(t, 10*time.Second), &kmsv1.ListKeysRequest{Limit: new(int32(1000))})
	if err != nil {
		t.Fatal(err)
	}
	var arns []string
	for _, k := range res.GetKeys() {
		arns = append(arns, k.GetKeyArn())
	}
	slices.Sort(arns)
	return arns
}

// expectCreations expects that every key has one event of its creation.
func expectCreations(t *testing.T, client *harness.Client, keys []string) {
	t.Helper()
	var created []string
	for _, e := range allEvents(t, client) {
		if e.EventName != "CreateKey" {
			continue
		}
		for _, r := range e.Resources {
			if slices.Contains(keys, r.ARN) {
				created = append(created, r.ARN)
			}
		}
	}
	slices.Sort(created)
	if diff := cmp.Diff(keys, created); diff != "" {
		t.Errorf("keys (-) and the events of their creation (+):\n%s", diff)
	}
}
