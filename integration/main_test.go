package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "strongroom-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	binary = filepath.Join(dir, "strongroom")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/strongroom")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building strongroom: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// within returns a context that ends with the test or after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("more than %v have passed", d))
	t.Cleanup(cancel)
	return ctx
}

// newSite makes a site in a directory of the test's own.
func newSite(t *testing.T, o harness.Options) *harness.Site {
	t.Helper()
	o.Binary, o.Dir = binary, t.TempDir()
	site, err := harness.NewSite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// start starts the site's server; the end of the test stops it and expects a
// good end.
func start(t *testing.T, site *harness.Site) *harness.Server {
	t.Helper()
	server, err := site.Start(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server.Process) })
	return server
}

// stop stops a process that may have ended already.
func stop(t *testing.T, p *harness.Process) {
	t.Helper()
	select {
	case <-p.Exited():
		return
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("the server did not end well: %v\n%s", err, p.Stderr)
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", tail(p.Stderr.String()))
	}
}

// tail keeps the end of a long log.
func tail(s string) string {
	const most = 4 << 10
	if len(s) <= most {
		return s
	}
	return "...\n" + s[len(s)-most:]
}

// dial connects to the server as one of the site's identities.
func dial(t *testing.T, site *harness.Site, server *harness.Server, name string) *harness.Client {
	t.Helper()
	client, err := site.Dial(server.Address, name)
	return closing(t, client, err)
}

func closing(t *testing.T, client *harness.Client, err error) *harness.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("closing a client: %v", err)
		}
	})
	return client
}

// newKey creates a key and returns its ARN.
func newKey(t *testing.T, client *harness.Client) string {
	t.Helper()
	key, err := client.NewKey(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// strongroom runs the command line and returns its standard output and its
// standard error.
func strongroom(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(within(t, time.Minute), binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, errs := harness.NewLog(), harness.NewLog()
	cmd.Stdout, cmd.Stderr = out, errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// mustRun is strongroom for commands that have to succeed.
func mustRun(t *testing.T, env []string, args ...string) string {
	t.Helper()
	stdout, stderr, err := strongroom(t, env, args...)
	if err != nil {
		t.Fatalf("strongroom %v: %v\n%s%s", args, err, stdout, stderr)
	}
	return stdout
}

// clientEnv is the environment with which the command line calls the server.
func clientEnv(site *harness.Site, server *harness.Server, name string) []string {
	id := site.Identities[name]
	return []string{
		"STRONGROOM_ADDRESS=" + server.Address,
		"STRONGROOM_CA_CERT=" + site.CA.Cert,
		"STRONGROOM_CLIENT_CERT=" + id.Cert,
		"STRONGROOM_CLIENT_KEY=" + id.Key,
	}
}

// shell runs a script in sh, with the program in the path, and returns what it
// prints.
func shell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t, time.Minute), "sh", "-eu", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}
