package alarms

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "strongroom-alarms-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	binary = filepath.Join(dir, "strongroom")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/strongroom")
	build.Dir = "../.."
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

// newSite makes a site with metrics, and with more lines of configuration.
func newSite(t *testing.T, o harness.Options, more string) *harness.Site {
	t.Helper()
	o.Binary, o.Dir = binary, t.TempDir()
	site, err := harness.NewSite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(site.Config)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "metrics: {listen: 127.0.0.1:0}\n"+more...)
	if err := os.WriteFile(site.Config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return site
}

// start starts the site's server, which the end of the test stops.
func start(t *testing.T, site *harness.Site) *harness.Server {
	t.Helper()
	server, err := site.Start(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server.Process) })
	return server
}

// stop stops a process that may have ended already, and shows its log if the test has
// failed.
func stop(t *testing.T, p *harness.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("a process did not end well: %v", err)
	}
	if t.Failed() {
		log := p.Stderr.String()
		t.Logf("the end of its log:\n%s", log[max(0, len(log)-4<<10):])
	}
}

func dial(t *testing.T, site *harness.Site, server *harness.Server) *harness.Client {
	t.Helper()
	client, err := site.Dial(server.Address, harness.Admin)
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

func newFaults(t *testing.T) *faultp11.Library {
	t.Helper()
	softHSM, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	return faultp11.New(t, softHSM)
}
