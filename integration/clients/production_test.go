package clients

import (
	"context"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Over TLS, with an authority of one's own and an access key that was made for a
// user: the TLS of Python, Node and Go.
func TestProduction(t *testing.T) {
	site, server, address := startSite(t)
	admin, err := site.Dial(server.Address, harness.Admin)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close() //nolint:errcheck // it has said all
	key, err := admin.NewKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	pointThere := strings.NewReplacer("https://kms.example.org:7401", "https://"+address, "/etc/strongroom/ca.pem", site.CA.Cert).Replace(read(t, "sh/production.sh"))
	write(t, dir, "script", pointThere+`
printf 'a: attack at dawn\n' > plain.yaml
aws kms encrypt --key-id "$KEY" --plaintext fileb://plain.yaml --query CiphertextBlob --output text | base64 -d > blob
aws kms decrypt --ciphertext-blob fileb://blob --query Plaintext --output text | base64 -d > opened
cmp plain.yaml opened
python seal.py "$KEY" plain.yaml sealed
node open.mjs "$KEY" sealed opened
cmp plain.yaml opened
sops encrypt --kms "$KEY" plain.yaml > sealed.yaml
sops decrypt sealed.yaml
`)
	for _, file := range []string{"python/seal.py", "js/open.mjs"} {
		copyExample(t, dir, file)
	}
	identity := site.Identities[harness.Admin]
	cmd := command(t, dir, "bash", "-euo", "pipefail", "script")
	cmd.Env = append(cmd.Env, "KEY="+key, "STRONGROOM_ADDRESS="+server.Address, "STRONGROOM_CA_CERT="+site.CA.Cert,
		"STRONGROOM_CLIENT_CERT="+identity.Cert, "STRONGROOM_CLIENT_KEY="+identity.Key)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "a: attack at dawn\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// startSite starts a server with a configuration file. It returns where it answers
// AWS clients too.
func startSite(t *testing.T) (site *harness.Site, server *harness.Server, address string) {
	t.Helper()
	site, err := harness.NewSite(t.Context(), harness.Options{Binary: binary, Dir: t.TempDir(), AWS: true})
	if err != nil {
		t.Fatal(err)
	}
	if server, err = site.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("the server did not end well: %v\n%s", err, server.Stderr)
		}
	})
	if address, err = server.AWSAddress(t.Context()); err != nil {
		t.Fatal(err)
	}
	return site, server, address
}
