package daemon_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/internal/devserver"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// serveOnce runs a server of two Regions in a directory until it has answered
// DescribeAudit, and stops it.
func serveOnce(t *testing.T, dir string) *operatorv1.DescribeAuditResponse {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var answer *operatorv1.DescribeAuditResponse
	err := devserver.Run(ctx, devserver.Options{
		DataDir: dir, Listen: "127.0.0.1:0", Regions: []string{"eu-central-1", "us-east-1"},
		WorkerEnv: map[string]string{"GORACE": "atexit_sleep_ms=0"}, Logger: hclog.NewNullLogger(),
		Serving: func(ctx context.Context, site *devserver.Site) error {
			defer stop()
			connection, err := site.Connection("auditor")
			if err != nil {
				return err
			}
			c, err := client.Dial(site.Address, connection)
			if err != nil {
				return err
			}
			defer c.Close() //nolint:errcheck // all calls are over
			answer, err = c.Operator.DescribeAudit(ctx, &operatorv1.DescribeAuditRequest{})
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// checkTrail checks the files of a directory with the public key in it.
func checkTrail(t *testing.T, dir string, publicKey []byte) cloudtrail.Report {
	t.Helper()
	keys, err := cloudtrail.NewKeys(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	report, err := cloudtrail.Check(t.Context(), os.DirFS(filepath.Join(dir, "trail")), keys, cloudtrail.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A server that stops leaves signed files of all that it has answered, and the next one
// goes on with their chain and their key.
func TestAServerLeavesSignedFilesOfItsTrails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if first := serveOnce(t, dir); len(first.GetSigningKeys()) != 0 || len(first.GetSinks()) != 1 || first.GetFirstSequence() != 1 {
		t.Errorf("before the first digest: %v", first)
	}
	second := serveOnce(t, dir)
	if len(second.GetSigningKeys()) != 1 || len(second.GetDigests()) != 2 {
		t.Fatalf("after a restart: %v", second)
	}
	digest := second.GetDigests()[0]
	if digest.GetFingerprint() != second.GetSigningKeys()[0].GetFingerprint() || digest.GetLastSequence() == 0 || digest.GetLastHash() == "" {
		t.Errorf("the newest digest is %v", digest)
	}
	report := checkTrail(t, dir, second.GetSigningKeys()[0].GetPublicKey())
	if len(report.Chains) != 2 || report.LogFiles == 0 || len(report.Unnamed) != 0 {
		t.Fatalf("the files are %+v", report)
	}
	for _, chain := range report.Chains {
		if len(chain.Digests) != 2 || chain.Digests[1].Journal.First != chain.Digests[0].Journal.Last+1 || chain.Digests[0].Journal.Last != digest.GetLastSequence() {
			t.Errorf("the digests of %s are %+v", chain.Region, chain.Digests)
		}
	}
}
