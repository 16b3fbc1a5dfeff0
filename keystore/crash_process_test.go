package keystore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// ordersEnv holds the orders of a process that kills itself.
const ordersEnv = "STRONGROOM_TEST_CRASH"

// orders say what a process does until it kills itself.
type orders struct {
	Dir       string
	Operation int    // its place in the table of operations
	RequestID string // of the operation
	// Restart: the operation is not asked for; the process only opens what an
	// earlier one has left, and settles it.
	Restart bool
	// Step is the step before which the process kills itself; 0: it does not.
	Step int
}

// report is what a process said before its end.
type report struct {
	answered bool // the operation has been answered
	steps    int  // how many there are, of a process that did not kill itself
}

// run runs a process until its end, which must be as ordered.
func (o orders) run(t *testing.T) report {
	t.Helper()
	value, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessThatKillsItself$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), ordersEnv+"="+string(value))
	said, err := cmd.CombinedOutput()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if killed := status.Signal() == syscall.SIGKILL; killed != (o.Step > 0) || !killed && err != nil {
		t.Fatalf("the process with the orders %s ended with %v:\n%s", value, err, said)
	}
	r := report{answered: bytes.Contains(said, []byte("answered\n"))}
	for line := range strings.Lines(string(said)) {
		_, _ = fmt.Sscanf(line, "%d steps\n", &r.steps) // not of other lines
	}
	return r
}

// TestProcessThatKillsItself is no test but the process that run runs.
func TestProcessThatKillsItself(t *testing.T) {
	value := os.Getenv(ordersEnv)
	if value == "" {
		t.Skip("without orders there is nothing to do")
	}
	var o orders
	if err := json.Unmarshal([]byte(value), &o); err != nil {
		t.Fatal(err)
	}
	op, f := operations()[o.Operation], &fuse{at: o.Step}
	s := &service{t: t, dir: o.Dir, fuse: f, now: op.now, with: awayClusters()}
	asked := op.do != nil && !o.Restart
	if !asked {
		f.light()
	}
	s.startWith(f.put)
	if asked {
		if op.prepare != nil {
			op.prepare(s)
		}
		f.light()
		s.must(op.do(s, NewContext(t.Context(), Caller{Principal: admin, RequestID: o.RequestID})))
		f.step()
		fmt.Println("answered")
	}
	op.await(s)
	f.step()
	fmt.Println(f.steps, "steps")
}

// fuse kills the process at one of its steps. A step is what makes something
// durable, or shows something to the caller: between two of them nothing
// happens that outlives the process.
type fuse struct {
	at int

	mu    sync.Mutex
	lit   bool
	steps int
}

// light begins the counting of steps.
func (f *fuse) light() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lit = true
}

// step is called before each step.
func (f *fuse) step() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.lit {
		return
	}
	if f.steps++; f.steps == f.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal is there
	}
}

// put puts the fuse between a Keystore and its parts.
func (f *fuse) put(c *Config) {
	c.Trail, c.Metadata = fusedTrail{c.Trail, f}, fusedStore{c.Metadata, f}
}

// auditor puts the fuse between the HSM pool and the journal. A nil fuse is
// none.
func (f *fuse) auditor(trail *audit.Trail) hsmpool.Auditor {
	if f == nil {
		return trail
	}
	return fusedAuditor{trail, f}
}

// fusedTrail is the journal as the Keystore sees it.
type fusedTrail struct {
	Trail
	*fuse
}

func (t fusedTrail) RecordIntent(ctx context.Context, i *audit.Intent) error {
	t.step()
	return t.Trail.RecordIntent(ctx, i)
}

func (t fusedTrail) RecordEvent(ctx context.Context, e *audit.APIEvent) error {
	t.step()
	return t.Trail.RecordEvent(ctx, e)
}

// fusedAuditor is the journal as the HSM pool sees it: FlushHSM is called
// before each management command, and after it, before its answer.
type fusedAuditor struct {
	hsmpool.Auditor
	*fuse
}

func (a fusedAuditor) FlushHSM(ctx context.Context) error {
	a.step()
	return a.Auditor.FlushHSM(ctx)
}

// fusedStore is the metadata.
type fusedStore struct {
	metadata.Store
	*fuse
}

func (s fusedStore) Commit(ctx context.Context, t metadata.Txn) (uint64, error) {
	s.step()
	return s.Store.Commit(ctx, t)
}
