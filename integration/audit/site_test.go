package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// otherRegion is the second Region of the server.
const otherRegion = "us-east-1"

// runs is how many times the server is started; each time begins a segment of the
// journal.
const runs = 4

// newSite makes what a server with two Regions needs.
func newSite(t *testing.T) *harness.Site {
	t.Helper()
	site, err := harness.NewSite(within(t, time.Minute), harness.Options{Binary: program, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(site.Config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(config), "region: "+harness.Region, "regions: ["+harness.Region+", "+otherRegion+"]", 1)
	if err := os.WriteFile(site.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return site
}

// serve starts the site's server, uses it in both Regions, stops it, and returns the keys
// that its digests are signed with: none as long as it has signed none.
func serve(t *testing.T, site *harness.Site) string {
	t.Helper()
	server, err := site.Start(within(t, time.Minute))
	must(t, err)
	use(t, site, server)
	keys := publicKeys(t, site, server)
	if err := server.Stop(within(t, time.Minute)); err != nil {
		t.Fatalf("%v\n%s", err, server.Stderr)
	}
	return keys
}

// publicKeys has the server print its keys, as an auditor does.
func publicKeys(t *testing.T, site *harness.Site, server *harness.Server) string {
	t.Helper()
	id := site.Identities[harness.Auditor]
	out, good := execute(t, program, "audit", "keys", "--pem", "--address", server.Address,
		"--ca-cert", site.CA.Cert, "--client-cert", id.Cert, "--client-key", id.Key)
	if !good {
		return ""
	}
	path := filepath.Join(t.TempDir(), "keys.pem")
	must(t, os.WriteFile(path, []byte(out), 0o600))
	return path
}

// use makes a key in each Region, which the HSM's log tells of, and uses it.
func use(t *testing.T, site *harness.Site, server *harness.Server) {
	t.Helper()
	client, err := site.Dial(server.Address, harness.Admin)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // all its calls have been answered
	for _, region := range []string{harness.Region, otherRegion} {
		ctx := metadata.AppendToOutgoingContext(within(t, time.Minute), "strongroom-region", region)
		key, err := client.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{})
		if err != nil {
			t.Fatal(err)
		}
		id := key.GetKeyMetadata().GetArn()
		for range 3 {
			if _, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &id, Plaintext: []byte("attack at dawn")}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
