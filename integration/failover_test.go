package integration

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// callTimeout is hsm.hang_timeout in these tests: what a call of the HSM may take.
const callTimeout = 2 * time.Second

// One of two members is killed, or frozen, while 64 requests are in flight: none fails,
// and few take longer than they usually do by more than a call may take.
func TestALostMemberCostsNoRequest(t *testing.T) {
	for _, fault := range []struct {
		name   string
		signal syscall.Signal
	}{{"killed", syscall.SIGKILL}, {"frozen", syscall.SIGSTOP}} {
		t.Run(fault.name, func(t *testing.T) {
			site := newSite(t, harness.Options{Members: harness.Members(2), HangTimeout: callTimeout})
			server := start(t, site)
			client := dial(t, site, server, harness.Admin)
			key := newKey(t, client)
			clients := startTimed(t, inFlight, client, key)
			awaitAnswers(t, clients, 3000)
			usual := clients.p99(clients.begun, time.Now())

			lost := describeMembers(t, client)[0]
			struck := time.Now()
			kill(t, int(lost.GetWorkerPid()), fault.signal)
			awaitWorker(t, client, lost)
			back := time.Now()
			awaitAnswers(t, clients, 500)

			clients.stop()
			during := clients.p99(struck, back)
			t.Logf("p99 is %v, and %v in the %v until the member was back; %d requests, %d failed",
				rounded(usual), rounded(during), rounded(back.Sub(struck)), len(clients.answers), len(clients.failures))
			if n := len(clients.failures); n > 0 {
				t.Errorf("%d requests failed, the first after %v: %v", n, clients.failures[0].begun.Sub(struck), clients.failures[0].err)
			}
			if most := 3*usual + callTimeout; during > most {
				t.Errorf("p99 is %v while the member is away, want at most %v", during, most)
			}
		})
	}
}

// The only member is away for three seconds. Errors end at most a second, and the time
// that a worker takes to load the token, after it is back.
func TestTheOnlyMemberReturns(t *testing.T) {
	faults := newFaults(t)
	site := newSite(t, harness.Options{Library: faults.Path(), WorkerEnv: environment(faults), HangTimeout: callTimeout})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	loads := loadTime(t, client, key)

	clients := startTimed(t, inFlight, client, key)
	awaitAnswers(t, clients, 500)
	set(t, faults, faultp11.Absent())
	away := time.NewTimer(3 * time.Second)
	<-away.C
	set(t, faults)
	back := time.Now()
	awaitAnswers(t, clients, 1000)
	clients.stop()

	var last time.Duration
	for _, f := range clients.failures {
		last = max(last, f.begun.Add(f.took).Sub(back))
	}
	t.Logf("errors end %v after the token is back, a worker loads it in %v; %d requests failed of %d",
		rounded(last), rounded(loads), len(clients.failures), len(clients.failures)+len(clients.answers))
	if len(clients.failures) == 0 {
		t.Error("no request failed while there was no token")
	}
	if most := time.Second + loads; last > most {
		t.Errorf("the last error came %v after the token was back, want at most %v", last, most)
	}
}

// Ten calls that hang in one member's library cost no request of the other member or of
// another store. When they are over, threads, processes and memory are what they were.
func TestHungCallsHarmNoOthers(t *testing.T) {
	const calls = 10
	faults := newFaults(t)
	members := harness.Members(2)
	members[0].Library = faults.Path()
	for name, value := range environment(faults) {
		members[0].Env[name] = value
	}
	site := newSite(t, harness.Options{
		Members: members, HangTimeout: callTimeout, HSM: []string{fmt.Sprintf("sessions: %d", calls)},
		Clusters: []harness.Cluster{{ID: soundCluster}},
	})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	keys := []string{newKey(t, client), keyInStore(t, site, client, soundCluster)}
	warm := startTimed(t, inFlight, client, keys...)
	awaitAnswers(t, warm, 1000)
	warm.stop()
	before := resourcesOf(t, server)

	clients := startTimed(t, inFlight, client, keys...)
	awaitAnswers(t, clients, 500)
	stuck := describeMembers(t, client)[0]
	set(t, faults, faultp11.Hang("C_Encrypt").Times(calls))
	awaitWorker(t, client, stuck)
	hits := faults.Hits("C_Encrypt")
	awaitAnswers(t, clients, 500)
	clients.stop()

	t.Logf("%d calls hung; %d requests, %d failed; the longest took %v", hits, len(clients.answers), len(clients.failures), rounded(clients.longest()))
	if hits < calls {
		t.Errorf("%d calls hung, want %d", hits, calls)
	}
	if n := len(clients.failures); n > 0 {
		t.Errorf("%d requests failed, the first: %v", n, clients.failures[0].err)
	}
	expectResources(t, server, before)
}

func newFaults(t *testing.T) *faultp11.Library {
	t.Helper()
	softHSM, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	return faultp11.New(t, softHSM)
}

func set(t *testing.T, library *faultp11.Library, faults ...faultp11.Fault) {
	t.Helper()
	if err := library.Set(faults...); err != nil {
		t.Fatal(err)
	}
}

// timed are clients that encrypt and decrypt until they are stopped, and how long each
// round trip took.
type timed struct {
	begun time.Time
	stop  func()

	mu                sync.Mutex
	answers, failures []roundTrip
}

type roundTrip struct {
	begun time.Time
	took  time.Duration
	err   error
}

// startTimed has so many clients use the keys by turns. One whose request failed waits a
// little, as clients do.
func startTimed(t *testing.T, clients int, client *harness.Client, keys ...string) *timed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	c := &timed{begun: time.Now()}
	c.stop = func() { cancel(); all.Wait() }
	t.Cleanup(c.stop)
	for i := range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				if !c.ask(t.Context(), client, keys[i%len(keys)]) {
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	return c
}

// ask makes one round trip and tells whether it was right.
func (c *timed) ask(ctx context.Context, client *harness.Client, key string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	a := roundTrip{begun: time.Now()}
	a.err = harness.RoundTrip(ctx, client, key)
	a.took = time.Since(a.begun)
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.err != nil {
		c.failures = append(c.failures, a)
	} else {
		c.answers = append(c.answers, a)
	}
	return a.err == nil
}

// awaitAnswers waits for so many more right answers.
func awaitAnswers(t *testing.T, c *timed, n int) {
	t.Helper()
	have := func() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.answers) }
	n += have()
	await(t, "more answers", func() bool { return have() >= n })
}

// p99 is that of the round trips that were under way in a time.
func (c *timed) p99(from, to time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var took []time.Duration
	for _, a := range c.answers {
		if a.begun.Before(to) && a.begun.Add(a.took).After(from) {
			took = append(took, a.took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func (c *timed) longest() (most time.Duration) {
	for _, a := range c.answers {
		most = max(most, a.took)
	}
	return most
}

// await asks again and again: there is no event that a stranger could wait for.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for ctx := within(t, 30*time.Second); !ok(); {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func describeMembers(t *testing.T, client *harness.Client) []*operatorv1.HsmDescription {
	t.Helper()
	answer, err := client.Operator.DescribeHsms(within(t, 10*time.Second), &operatorv1.DescribeHsmsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetHsms()
}

// awaitWorker waits until a member has another worker than it had.
func awaitWorker(t *testing.T, client *harness.Client, was *operatorv1.HsmDescription) {
	t.Helper()
	await(t, "another worker of "+was.GetHsmId(), func() bool {
		for _, h := range describeMembers(t, client) {
			if h.GetHsmId() == was.GetHsmId() {
				return h.GetState() == operatorv1.HsmState_HSM_STATE_READY && h.GetWorkerPid() != was.GetWorkerPid()
			}
		}
		return false
	})
}

// loadTime is how long a worker takes to start: that of a server without load is killed.
func loadTime(t *testing.T, client *harness.Client, key string) time.Duration {
	t.Helper()
	kill(t, int(describeHSM(t, client).GetWorkerPid()), syscall.SIGKILL)
	begun := time.Now()
	if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
		t.Fatal(err)
	}
	return time.Since(begun)
}

// resources are what a server and its workers have.
type resources struct{ processes, threads, memory int }

func resourcesOf(t *testing.T, server *harness.Server) resources {
	t.Helper()
	var u usage
	u.add(server.PID())
	workers := server.Workers()
	for _, pid := range workers {
		u.add(pid)
	}
	r := resources{processes: len(workers)}
	for i := range u.memory {
		r.memory += u.memory[i]
		r.threads += u.threads[i]
	}
	return r
}

// expectResources waits until a server has no more than it had, but for the threads and
// the memory that Go's runtime keeps for the next storm.
func expectResources(t *testing.T, server *harness.Server, before resources) {
	t.Helper()
	const threads, memory = 16, 64 << 20
	var now resources
	defer func() { t.Logf("before: %+v, after: %+v", before, now) }()
	await(t, "threads, processes and memory to be what they were", func() bool {
		now = resourcesOf(t, server)
		return now.processes == before.processes && now.threads <= before.threads+threads && now.memory <= before.memory+memory
	})
}

func rounded(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
