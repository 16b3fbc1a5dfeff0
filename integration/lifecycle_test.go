package integration

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// A key whose deletion fell due while no server ran is deleted at the next
// start: for its users, in the metadata, on the token and in both trails. It
// happens once.
func TestDeletionThatFellDueIsMadeUpFor(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	env := clientEnv(site, server, harness.Admin)
	client := dial(t, site, server, harness.Admin)
	doomed, kept := newKey(t, client), newKey(t, client)
	material := backingKey(t, client, doomed)
	mustRun(t, env, "alias", "create", "alias/doomed", doomed)
	sealed, err := encrypt(t.Context(), client, "alias/doomed")
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, env, "key", "schedule-deletion", doomed, "--days", "7")
	stop(t, server.Process)
	expire(t, site, doomed)

	server = start(t, site)
	env = clientEnv(site, server, harness.Admin)
	client = dial(t, site, server, harness.Admin)
	deleted := awaitEvent(t, client, "DeleteKey")
	expectDeleted(t, deleted, doomed, material)
	expectCaused(t, client, deleted.RequestID, "C_DestroyObject")
	expectGone(t, env, doomed, sealed)
	expectNotOnToken(t, site.Token, material)
	if got := keysOfKMS(t, client); got != 1 {
		t.Errorf("there are %d keys of KMS on the token, want 1", got)
	}

	for range 2 {
		stop(t, server.Process)
		server = start(t, site)
		client = dial(t, site, server, harness.Admin)
		if err := harness.RoundTrip(within(t, 10*time.Second), client, kept); err != nil {
			t.Fatal(err)
		}
	}
	expectOnce(t, client, material)
	stop(t, server.Process)
	mustRun(t, nil, "audit", "verify", site.DataDir)
}

// expire makes the metadata say that a key was to be deleted an hour ago.
func expire(t *testing.T, site *harness.Site, arn string) {
	t.Helper()
	changeKeyRecord(t, site, arn, func(r *storagev1.KeyRecord) {
		if until := time.Until(r.GetDeletionDate().AsTime()); until < 6*24*time.Hour {
			t.Errorf("the key is to be deleted in %v, want 7 days", until)
		}
		r.DeletionDate = timestamppb.New(time.Now().Add(-time.Hour))
	})
}

// awaitEvent waits for the first event with a name.
func awaitEvent(t *testing.T, client *harness.Client, name string) harness.Event {
	t.Helper()
	stream, err := client.Operator.StreamEvents(within(t, 20*time.Second), &operatorv1.StreamEventsRequest{Follow: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			t.Fatalf("waiting for the event %s: %v", name, err)
		}
		e := harness.Event{Sequence: answer.GetSequence(), JSON: answer.GetEventJson()}
		if err := json.Unmarshal([]byte(e.JSON), &e); err != nil {
			t.Fatalf("event %d is no JSON: %v: %s", e.Sequence, err, e.JSON)
		}
		if e.EventName == name {
			return e
		}
	}
}

// expectDeleted expects the event of a deletion that succeeded.
func expectDeleted(t *testing.T, e harness.Event, key, material string) {
	t.Helper()
	var status []map[string]string
	text, _ := e.AdditionalEventData["backingKeysDeletionStatus"].(string)
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Errorf("the event says nothing of the backing keys: %v: %s", err, e.JSON)
	}
	want := []map[string]string{{"backingKeyId": material, "deletionStatus": "SUCCESS"}}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("what became of the backing keys (-want +got):\n%s", diff)
	}
	if e.ErrorCode != "" || len(e.Resources) != 1 || e.Resources[0].ARN != key {
		t.Errorf("the event is not that of the deletion of %s: %s", key, e.JSON)
	}
}

// expectGone expects that a user finds nothing of a key with a ciphertext, which
// had the only alias.
func expectGone(t *testing.T, env []string, key string, sealed answer) {
	t.Helper()
	if _, stderr, err := strongroom(t, env, "key", "describe", key); err == nil || !strings.Contains(stderr, "NotFoundException") {
		t.Errorf("describing the key ended with %v: %s", err, stderr)
	}
	if aliases := mustRun(t, env, "alias", "list"); strings.Contains(aliases, "alias/") {
		t.Errorf("there are aliases:\n%s", aliases)
	}
	file := filepath.Join(t.TempDir(), "ciphertext")
	writeFile(t, file, bytes.NewReader(sealed.blob))
	if stdout, stderr, err := strongroom(t, env, "decrypt", file); err == nil || !strings.Contains(stderr, "AccessDeniedException") {
		t.Errorf("decrypting ended with %v: %s%s", err, stdout, stderr)
	}
	mustRun(t, env, "hsm", "orphans") // succeeds when there are none
}

// expectNotOnToken expects that another program does not see an object.
func expectNotOnToken(t *testing.T, token *harness.Token, id string) {
	t.Helper()
	if _, err := exec.LookPath("pkcs11-tool"); err != nil {
		t.Log("pkcs11-tool is not installed; `make test` installs it (package opensc)")
		return
	}
	out, err := pkcs11Tool(t, token, "--list-objects", "--type", "secrkey")
	if err != nil {
		t.Fatalf("listing the token: %v\n%s", err, out)
	}
	if objects := strings.Count(out, "Secret Key Object"); objects != 1 || strings.Contains(out, id) {
		t.Errorf("the token has %d objects, want 1, and not %s:\n%s", objects, id, out)
	}
}

// expectOnce expects that one key was deleted, ever, and its material destroyed.
func expectOnce(t *testing.T, client *harness.Client, material string) {
	t.Helper()
	var deletions, destructions int
	for _, e := range allEvents(t, client) {
		if e.EventName == "DeleteKey" {
			deletions++
		}
	}
	log, err := client.HSMLog(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range log {
		if e := a.GetEntryJson(); strings.Contains(e, `"C_DestroyObject"`) && strings.Contains(e, material) {
			destructions++
		}
	}
	if deletions != 1 || destructions != 1 {
		t.Errorf("%d deletions of keys, %d of %s; want one", deletions, destructions, material)
	}
}
