package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// shape is an overload: how much the server may carry, and for how long it is
// asked for ten times that.
type shape struct {
	inFlight    int // limits.max_in_flight
	connections int
	duration    time.Duration
	// p99 is how long an accepted request may take in the worst of a hundred
	// cases, on a machine that carries the load too.
	p99 time.Duration
	// unrecorded says that there are more refusals than can be recorded.
	unrecorded bool
}

// overloadShape is short, or as long as STRONGROOM_OVERLOAD says and then with
// the limits that a server has by default, the deadline of 10 s among them.
func overloadShape(t *testing.T) shape {
	t.Helper()
	long := os.Getenv("STRONGROOM_OVERLOAD")
	if long == "" {
		return shape{inFlight: 32, connections: 8, duration: 3 * time.Second, p99: 5 * time.Second}
	}
	d, err := time.ParseDuration(long)
	if err != nil {
		t.Fatalf("STRONGROOM_OVERLOAD: %v", err)
	}
	return shape{inFlight: 512, connections: 80, duration: d, p99: 10 * time.Second, unrecorded: true}
}

// At ten times what a server may carry, and at ten times what it can, memory
// and goroutines stay flat, what is accepted is answered in time, all else is
// refused with a reason and a time to wait, and every answer has its event.
func TestOverload(t *testing.T) {
	s := overloadShape(t)
	site := newSite(t, harness.Options{})
	limit(t, site, fmt.Sprintf("max_in_flight: %d", s.inFlight))
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	load := newOverload(t, site, server, key, s.connections)

	capacity := load.capacity(s)
	for _, phase := range []struct {
		name, kind string
		n          int
	}{
		{"ten times the limit", "-loops", 10 * s.inFlight},
		{"ten times the capacity", "-rate", 10 * capacity},
	} {
		samples := sample(t, server)
		load.expect(phase.name, load.run(phase.kind, phase.n, s.duration/2), s)
		samples.expectFlat(phase.name)
	}

	if err := harness.RoundTrip(within(t, 5*time.Second), client, key); err != nil {
		t.Errorf("after the overload: %v", err)
	}
	expectRecorded(t, client, load.ids)
	stop(t, server.Process)
	expectGoroutines(t, server, s)
	// A long run's journal takes minutes to read.
	verify := exec.CommandContext(within(t, 20*time.Minute), binary, "audit", "verify", site.DataDir)
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("after the overload: %v\n%s", err, out)
	}
}

// limit adds a line to the limits of a site's configuration, which has none.
func limit(t *testing.T, site *harness.Site, line string) {
	t.Helper()
	text, err := os.ReadFile(site.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(site.Config, fmt.Appendf(text, "limits: {%s}\n", line), 0o600); err != nil {
		t.Fatal(err)
	}
}

// overload runs the load program.
type overload struct {
	t      *testing.T
	binary string
	args   []string
	ids    []string // the files with the request ids of each run
}

func newOverload(t *testing.T, site *harness.Site, server *harness.Server, key string, connections int) *overload {
	t.Helper()
	o := &overload{t: t, binary: filepath.Join(t.TempDir(), "overload")}
	build := exec.CommandContext(within(t, time.Minute), "go", "build", "-buildvcs=false", "-o", o.binary, "./overload")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the load program: %v\n%s", err, out)
	}
	o.args = []string{"-address", server.Address, "-ca", site.CA.Cert, "-key", key, "-connections", fmt.Sprint(connections)}
	for _, name := range []string{harness.Admin, harness.User} {
		id := site.Identities[name]
		o.args = append(o.args, "-identity", id.Cert+","+id.Key)
	}
	return o
}

// loadResult is what the load program prints.
type loadResult struct {
	Accepted      int
	P50, P99, Max time.Duration
	Errors        map[string]struct{ Count, WithoutID, WithoutDelay int }
	NotSent       int
}

func (o *overload) run(kind string, n int, d time.Duration) loadResult {
	o.t.Helper()
	ids := filepath.Join(o.t.TempDir(), fmt.Sprintf("ids%d", len(o.ids)))
	o.ids = append(o.ids, ids)
	cmd := exec.CommandContext(within(o.t, d+time.Minute), o.binary,
		append(o.args, "-ids", ids, kind, fmt.Sprint(n), "-duration", d.String())...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("the load: %v", err)
	}
	var r loadResult
	if err := json.Unmarshal(out, &r); err != nil {
		o.t.Fatalf("the load printed %s: %v", out, err)
	}
	return r
}

// capacity is how many requests a second are accepted at half of the limit.
func (o *overload) capacity(s shape) int {
	o.t.Helper()
	d := max(s.duration/20, 500*time.Millisecond)
	r := o.run("-loops", s.inFlight/2, d)
	if r.Accepted == 0 || len(r.Errors) > 0 {
		o.t.Fatalf("at half of its limit the server answered %+v", r)
	}
	perSecond := int(float64(r.Accepted) / d.Seconds())
	o.t.Logf("at half of the limit %d a second are accepted, p50 %v, p99 %v", perSecond, r.P50, r.P99)
	return perSecond
}

// expect checks what a run has been answered.
func (o *overload) expect(name string, r loadResult, s shape) {
	o.t.Helper()
	refused, withoutID := 0, 0
	for text, e := range r.Errors {
		o.t.Logf("%s: %d times %s (%d without an event)", name, e.Count, text, e.WithoutID)
		refused, withoutID = refused+e.Count, withoutID+e.WithoutID
		if !strings.HasPrefix(text, "ResourceExhausted: The ") || !strings.HasSuffix(text, "Try again later.") || e.WithoutDelay > 0 {
			o.t.Errorf("%s: a refusal that is not clear: %s (%d times without a time to wait)", name, text, e.WithoutDelay)
		}
	}
	o.t.Logf("%s: %d accepted, p50 %v, p99 %v, max %v; %d refused, %d not sent", name, r.Accepted, r.P50, r.P99, r.Max, refused, r.NotSent)
	if r.Accepted == 0 || refused == 0 || r.P99 > s.p99 {
		o.t.Errorf("%s: want some accepted, p99 at most %v, and some refused", name, s.p99)
	}
	if withoutID > 0 && !s.unrecorded {
		o.t.Errorf("%s: %d refusals have no event, though there was room for them", name, withoutID)
	}
}
