package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// What lists of keys by somebody whom the server does not know, and by somebody
// who may not, are answered.
const unknown, forbidden = "UnrecognizedClientException", "AccessDeniedException"

// strangers is a server at which Stranger is made a principal, and Stranger's
// connection to it, which is one all the time.
type strangers struct {
	t      *testing.T
	site   *harness.Site
	server *harness.Server
	client *harness.Client
	policy string // a file
}

func startStrangers(t *testing.T, site *harness.Site) *strangers {
	t.Helper()
	server := start(t, site)
	return &strangers{t: t, site: site, server: server, client: dial(t, site, server, harness.Stranger), policy: filepath.Join(t.TempDir(), "policy.json")}
}

func (s *strangers) run(args ...string) {
	s.t.Helper()
	mustRun(s.t, clientEnv(s.site, s.server, harness.Admin), args...)
}

// put makes Stranger a principal.
func (s *strangers) put() {
	s.t.Helper()
	s.run("principal", "put", harness.ARN(harness.Stranger), "--name", harness.SPIFFE(harness.Stranger).String(), "--policy", "lister")
}

// putPolicy lets those who have the policy list keys, or keeps them from it.
func (s *strangers) putPolicy(effect string) {
	s.t.Helper()
	document := `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"kms:ListKeys","Resource":"*"}}`
	if err := os.WriteFile(s.policy, []byte(document), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("policy", "put", "lister", "--file", s.policy)
}

// expect expects what Stranger is answered to the next request, "" for a list.
func (s *strangers) expect(when, reason string) {
	s.t.Helper()
	_, err := s.client.KMS.ListKeys(within(s.t, 10*time.Second), new(kmsv1.ListKeysRequest))
	if got := harness.ErrorInfo(err).GetReason(); got != reason || (err == nil) != (reason == "") {
		s.t.Errorf("%s: got %v, want %q", when, err, reason)
	}
}

// A principal that is made, changed and deleted by the command line is so for the
// next request of a connection that was there all the time.
func TestPrincipalsComeAndGoOnAnOpenConnection(t *testing.T) {
	t.Parallel()
	s := startStrangers(t, newSite(t, harness.Options{}))
	s.expect("before there is such a principal", unknown)
	s.putPolicy("Allow")
	s.put()
	s.expect("as a principal", "")
	s.putPolicy("Deny")
	s.expect("under a policy that denies", forbidden)
	s.putPolicy("Allow")
	s.expect("under a policy that allows again", "")
	s.run("principal", "delete", harness.ARN(harness.Stranger))
	s.expect("deleted", unknown)
	s.put()
	s.expect("made again", "")
}

// A stream that somebody follows ends with the right to it: what comes after that
// is not sent.
func TestAStreamEndsWithTheRightToIt(t *testing.T) {
	t.Parallel()
	s := startStrangers(t, newSite(t, harness.Options{}))
	s.run("principal", "put", harness.ARN(harness.Stranger), "--name", harness.SPIFFE(harness.Stranger).String(), "--policy", "auditor")
	stream, err := s.client.Operator.StreamEvents(within(t, 20*time.Second), &operatorv1.StreamEventsRequest{Follow: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the event of PutPrincipal, and the stream's own
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	s.run("principal", "delete", harness.ARN(harness.Stranger))
	if e, err := stream.Recv(); harness.ErrorInfo(err).GetReason() != forbidden {
		t.Errorf("deleted: got %v, %v", e, err)
	}
}

// A backup has the principals. Metadata that is restored beside a journal that
// tells of one's deletion does not have it.
func TestPrincipalsAreRestoredUnlessDeletedSince(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	s := startStrangers(t, site)
	s.putPolicy("Allow")
	s.put()
	backup := backUp(t, site, s.server)
	stop(t, s.server.Process)
	for _, part := range []string{"journal", "metadata.db"} {
		if err := os.RemoveAll(filepath.Join(site.DataDir, part)); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, nil, "restore", "--data-dir", site.DataDir, backup)
	s = startStrangers(t, site)
	s.expect("restored", "")
	s.run("principal", "delete", harness.ARN(harness.Stranger))
	stop(t, s.server.Process)
	out := mustRun(t, nil, "restore", "--metadata-only", "--data-dir", site.DataDir, backup)
	if !strings.Contains(out, harness.ARN(harness.Stranger)) {
		t.Errorf("the deletion is not told:\n%s", out)
	}
	s = startStrangers(t, site)
	s.expect("restored, and deleted since the backup", unknown)
}

// Access keys are restored with the metadata, on the token that has the key which
// their secrets are sealed under; but not those that were deleted since. With the key
// that signs digests in the backup too, the token has none that is not known.
func TestAccessKeysAreRestoredUnlessDeletedSince(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	s := startStrangers(t, site)
	kept, deleted := s.makeAccessKey("create-key"), s.makeAccessKey("create-key")
	s.run("audit", "rotate-key") // there is none before the first digest
	backup := backUp(t, site, s.server)
	s.run("principal", "delete-key", deleted)
	stop(t, s.server.Process)
	mustRun(t, nil, "restore", "--metadata-only", "--data-dir", site.DataDir, backup)
	s = startStrangers(t, site)
	listed := mustRun(t, clientEnv(site, s.server, harness.Admin), "principal", "list-keys", harness.ARN(harness.User))
	if !strings.Contains(listed, kept) || strings.Contains(listed, deleted) {
		t.Errorf("restored are\n%s\nwant %s and not %s", listed, kept, deleted)
	}
	if out := mustRun(t, clientEnv(site, s.server, harness.Admin), "hsm", "orphans"); strings.Contains(out, "sealing-key") {
		t.Errorf("the key that seals the secrets is missing:\n%s", out)
	}
	rotated := s.makeAccessKey("rotate-key")
	s.run("principal", "delete-key", kept)
	s.run("principal", "delete-key", rotated)
}

// makeAccessKey gives User an access key by a command, and returns its id.
func (s *strangers) makeAccessKey(command string) string {
	s.t.Helper()
	out := mustRun(s.t, clientEnv(s.site, s.server, harness.Admin), "principal", command, harness.ARN(harness.User))
	_, after, _ := strings.Cut(out, "AWS_ACCESS_KEY_ID=")
	id, _, _ := strings.Cut(after, "\n")
	return id
}
