package integration

import (
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// TestAnOlderDataDirectoryTakesAnotherRegion adds a Region to a data directory of
// a server that knew only one, in front, makes a key in it, backs both up and
// restores them. Without the new Region there is no start any more.
func TestAnOlderDataDirectoryTakesAnotherRegion(t *testing.T) {
	t.Parallel()
	site, golden := unpackSite(t, "v1-lifecycle")
	reconfigure(t, site, "region: eu-central-1", "regions: [us-east-1, eu-central-1]")
	server := start(t, site)
	added := createIn(t, dial(t, site, server, harness.Admin), "us-east-1")
	backup := backUp(t, site, server)
	if out := mustRun(t, nil, "backup", "--verify", backup); !strings.Contains(out, "Region us-east-1, eu-central-1") {
		t.Errorf("the backup is of\n%s", out)
	}
	stop(t, server.Process)
	for _, part := range []string{"journal", "metadata.db"} {
		if err := os.RemoveAll(site.DataDir + "/" + part); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, nil, "restore", "--data-dir", site.DataDir, backup)

	reconfigure(t, site, "regions: [us-east-1, eu-central-1]", "region: eu-central-1")
	expectNoStart(t, site, []string{"account 111122223333 has keys (1) in Region us-east-1, which the configuration does not list"})
	reconfigure(t, site, "region: eu-central-1", "regions: [eu-central-1, us-east-1]")
	server = start(t, site)
	client := dial(t, site, server, harness.Admin)
	for _, c := range golden.Ciphertexts {
		c.expect(t, client)
	}
	ctx := metadata.AppendToOutgoingContext(within(t, 10*time.Second), "strongroom-region", "us-east-1")
	if _, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &added, Plaintext: []byte(plaintext)}); err != nil {
		t.Errorf("using the key in the added Region: %v", err)
	}
	out := mustRun(t, clientEnv(site, server, harness.Admin), "events", "show", "--all", "--json")
	if !strings.Contains(out, `"awsRegion":"us-east-1"`) || !strings.Contains(out, `"awsRegion":"eu-central-1"`) {
		t.Errorf("the events are not of both Regions:\n%s", out)
	}
}

// reconfigure changes a part of the site's configuration.
func reconfigure(t *testing.T, site *harness.Site, old, now string) {
	t.Helper()
	text := string(content(t, site.Config))
	if strings.Count(text, old) != 1 {
		t.Fatalf("the configuration does not have %q once:\n%s", old, text)
	}
	if err := os.WriteFile(site.Config, []byte(strings.Replace(text, old, now, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// createIn creates a key in a Region and returns its ARN.
func createIn(t *testing.T, client *harness.Client, region string) string {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(within(t, 10*time.Second), "strongroom-region", region)
	res, err := client.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	arn := res.GetKeyMetadata().GetArn()
	if !strings.HasPrefix(arn, "arn:aws:kms:"+region+":") {
		t.Errorf("a key of %s is %s", region, arn)
	}
	return arn
}
