package console

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// patience bounds what the tests wait for.
const patience = 30 * time.Second

// listen is the line of the configuration that says where the console is.
const listen = "metrics: {listen: '127.0.0.1:0'}"

// system is a running server with a console.
type system struct {
	*harness.Site
	server *harness.Server
	// client is the administrator.
	client *harness.Client
	// origin is where the console is.
	origin string
}

// newSystem starts a server with a console and these further lines of configuration.
func newSystem(t *testing.T, o harness.Options, lines string) *system {
	t.Helper()
	o.Binary, o.Dir = binary, t.TempDir()
	site, err := harness.NewSite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{Site: site}
	s.configure(t, listen+"\nconsole: {enabled: true}\n"+lines)
	return s
}

// configure appends to the configuration.
func (s *system) configure(t *testing.T, lines string) {
	t.Helper()
	f, err := os.OpenFile(s.Config, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("\n" + lines)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatalf("writing the configuration: %v", err)
	}
}

var urlPattern = regexp.MustCompile(`https?://\S+`)

// start starts the server, which the end of the test stops.
func (s *system) start(t *testing.T) *system {
	t.Helper()
	var err error
	if s.server, err = s.Start(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	server := s.server
	t.Cleanup(func() { stop(t, server) })
	line, err := s.server.Stderr.Await(within(t, patience), s.server.Exited(), "metrics are served")
	if err != nil {
		t.Fatal(err)
	}
	s.origin = regexp.MustCompile(`^https?://[^/]+`).FindString(urlPattern.FindString(line))
	s.client = s.dial(t, harness.Admin)
	return s
}

// restart starts the server anew; the console keeps its address.
func (s *system) restart(t *testing.T) {
	t.Helper()
	stop(t, s.server)
	text := need[[]byte](t)(os.ReadFile(s.Config))
	address := strings.TrimPrefix(s.origin, "http://")
	text = bytes.Replace(text, []byte(listen), []byte("metrics: {listen: '"+address+"'}"), 1)
	if err := os.WriteFile(s.Config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t)
}

// stop stops a server, if it runs, and expects a good end.
func stop(t *testing.T, server *harness.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-server.Exited():
		return
	default:
	}
	if err := server.Stop(ctx); err != nil {
		t.Errorf("the server did not end well: %v", err)
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", server.Stderr)
	}
}

func (s *system) dial(t *testing.T, name string) *harness.Client {
	t.Helper()
	client, err := s.Dial(s.server.Address, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() }) //nolint:errcheck // nothing is lost by it
	return client
}

// run runs the command line as one of the site's identities, and returns what it prints.
func (s *system) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	id := s.Identities[name]
	cmd := exec.CommandContext(within(t, patience), binary, args...)
	cmd.Env = append(os.Environ(), "STRONGROOM_ADDRESS="+s.server.Address, "STRONGROOM_CA_CERT="+s.CA.Cert,
		"STRONGROOM_CLIENT_CERT="+id.Cert, "STRONGROOM_CLIENT_KEY="+id.Key)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("strongroom %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

// link returns an address that signs somebody in.
func (s *system) link(t *testing.T, name string) string {
	t.Helper()
	out, err := s.run(t, name, "console")
	if err != nil {
		t.Fatal(err)
	}
	return urlPattern.FindString(out)
}

// signIn opens the console as somebody.
func (s *system) signIn(t *testing.T, name string, on browser.Screen) *browser.Page {
	t.Helper()
	page := chromium.Open(t, s.origin, on)
	page.Go(s.link(t, name))
	page.AwaitText("#sign-in-as", "/"+name+"$")
	page.Follow("#sign-in")
	page.AwaitText("h1", "^Overview$")
	return page
}

// visit goes to a page by its link in the navigation.
func visit(page *browser.Page, name string) {
	page.FollowLink("nav", name)
	page.AwaitText("h1", "^"+name+"$")
	page.AwaitText("nav [aria-current=page]", "^"+name+"$")
}
