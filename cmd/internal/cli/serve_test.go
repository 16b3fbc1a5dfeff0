package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/cmd/internal/cli"
)

// TestServe runs `strongroom serve` with a configuration file on what
// `strongroom dev` has made. The collector and the bucket of the trails are away.
func TestServe(t *testing.T) {
	library := softHSM(t)
	dir := t.TempDir()
	dev := startDev(t, dir)
	key := strings.TrimSpace(dev.must(t, "", "key", "create", "--quiet"))
	dev.stop()

	if err := os.WriteFile(filepath.Join(dir, "access-key"), []byte("id\nsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "strongroom.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, serveConfig+sinksAway, dir, library), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- cli.Main(ctx, []string{"serve", "--config", config}, process(nil, nil, io.Discard, w))
		_ = w.Close() // it returns nil always
	}()
	log := bufio.NewReader(r)
	variables := maps.Clone(dev.variables)
	variables["STRONGROOM_ADDRESS"] = awaitServing(t, log)
	rest := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(log) // until the server closes it
		rest <- string(b)
	}()

	if got := run(t.Context(), variables, "", "key", "describe", key); got.status != 0 || !strings.Contains(got.stdout, key) {
		t.Errorf("describing the key: %+v", got)
	}
	if got := run(t.Context(), variables, "", "audit", "status"); got.status != 0 || !regexp.MustCompile(`(?m)^files +true .*\ns3 +true +0 +\d+ records.*\notlp +false +0 +\d+ records`).MatchString(got.stdout) {
		t.Errorf("the status of the audit: %+v", got)
	}
	interrupt()
	if got := <-status; got != 0 {
		t.Errorf("status %d after an interrupt", got)
	}
	if got := <-rest; !regexp.MustCompile(`(?s)"@message":"stopping: .*"@message":"stopped"`).MatchString(got) {
		t.Errorf("the log does not say that the server stopped:\n%s", got)
	}
}

// TestAServerThatCannotStartSaysSoInItsLog has TLS files that are missing,
// which it finds before it makes a journal.
func TestAServerThatCannotStartSaysSoInItsLog(t *testing.T) {
	tests := []struct{ log, want string }{
		{"log: {json: true}\n", `^\{"@level":"error","@message":"the server failed",.*"error":"loading tls.cert .*no such file or directory"\}\n$`},
		{"", `^strongroom: serve: loading tls.cert .*/server.pem and tls.key .*/server-key.pem: .*no such file or directory\n$`},
	}
	for _, tc := range tests {
		dir := t.TempDir()
		config := filepath.Join(t.TempDir(), "strongroom.yaml")
		text := fmt.Sprintf(serveConfig, dir, "/lib.so")
		text = strings.Replace(text, "log: {json: true}\n", tc.log, 1)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := run(t.Context(), nil, "", "serve", "--config", config)
		if got.status != 1 || !regexp.MustCompile(tc.want).MatchString(got.stderr) {
			t.Errorf("got %+v, want %s", got, tc.want)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("the data directory has %v, err %v", files, err)
		}
	}
}

// TestAWrongPINHasAnExitStatusOfItsOwn, where a server does not go on without its HSM, so
// that whoever starts it can be told not to try again.
func TestAWrongPINHasAnExitStatusOfItsOwn(t *testing.T) {
	softHSM(t)
	dir := t.TempDir()
	startDev(t, dir).stop()
	if err := os.WriteFile(filepath.Join(dir, "pin"), []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"CKR_PIN_INCORRECT", "unlock-check"} { // refused, and not tried again
		got := run(t.Context(), nil, "", "dev", "--data-dir", dir, "--listen", "127.0.0.1:0")
		if got.status != 3 || !strings.Contains(got.stderr, says) {
			t.Errorf("the output does not say %q: %+v", says, got)
		}
	}
}

// TestALostJournalIsAcceptedOnRequest loses the journal of a data directory.
func TestALostJournalIsAcceptedOnRequest(t *testing.T) {
	softHSM(t)
	dir := t.TempDir()
	s := startDev(t, dir)
	key := strings.TrimSpace(s.must(t, "", "key", "create", "--quiet"))
	s.stop()
	if err := os.Rename(filepath.Join(dir, "journal"), filepath.Join(dir, "journal.lost")); err != nil {
		t.Fatal(err)
	}
	got := run(t.Context(), nil, "", "dev", "--data-dir", dir, "--listen", "127.0.0.1:0")
	if got.status != 1 || !strings.Contains(got.stderr, "--accept-new-journal") {
		t.Errorf("without its journal: %+v", got)
	}
	s = startDev(t, dir, "--accept-new-journal")
	defer s.stop()
	if got := s.must(t, "", "key", "describe", key); !strings.Contains(got, "Enabled") {
		t.Errorf("the key is %s", got)
	}
	if got := s.must(t, "", "events", "show", "--all"); !strings.Contains(got, "AcceptNewJournal") {
		t.Errorf("the new journal does not begin with its acceptance:\n%s", got)
	}
}

const serveConfig = `account: "000000000000"
region: us-east-1
data_dir: %[1]s
listen: 127.0.0.1:0
tls:
  cert: %[1]s/tls/server.pem
  key: %[1]s/tls/server-key.pem
  client_ca: %[1]s/tls/ca.pem
principals:
  - arn: arn:aws:iam::000000000000:user/admin
    names: [spiffe://strongroom.internal/dev/admin]
    policies: [admin]
hsm:
  library: %[2]s
  token: {label: strongroom-dev}
  pin: {file: %[1]s/pin}
  profile: softhsm
  env: {SOFTHSM2_CONF: %[1]s/softhsm2.conf}
log: {json: true}
`

// sinksAway sends the trails to a port that nobody listens at.
const sinksAway = `audit:
  s3: {endpoint: "http://127.0.0.1:1", bucket: trail, access_key_file: %[1]s/access-key}
  otlp: {endpoint: "http://127.0.0.1:1"}
metrics: {listen: "127.0.0.1:0"}
`

// awaitServing reads the log up to the line that has the address.
func awaitServing(t *testing.T, log *bufio.Reader) string {
	t.Helper()
	for {
		line, err := log.ReadString('\n')
		if err != nil {
			t.Fatalf("the log ended: %v", err)
		}
		var entry struct {
			Message string `json:"@message"`
			Address string `json:"address"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("the log is not JSON: %q", line)
		}
		if entry.Message == "serving" {
			return entry.Address
		}
	}
}
