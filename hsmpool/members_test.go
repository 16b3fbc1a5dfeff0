package hsmpool_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// cluster gives a token several members, each with its own library of faults, and opens
// a pool on them.
func (h *hsm) cluster(tb testing.TB, members int, edits ...func(*hsmpool.Config)) (*hsmpool.Pool, []faults) {
	tb.Helper()
	faulty := h.members(tb, members)
	pool := h.open(tb, edits...)
	if err := pool.Await(tb.Context(), members); err != nil {
		tb.Fatal(err)
	}
	return pool, faulty
}

// members gives the token several members.
func (h *hsm) members(tb testing.TB, members int) (faulty []faults) {
	tb.Helper()
	for n := range members {
		f := faults{faultp11.New(tb, softHSM)}
		faulty = append(faulty, f)
		h.config.Members = append(h.config.Members, hsmpool.Member{
			HSMID: fmt.Sprintf("hsm-member%d", n), Library: f.Path(), Env: append(f.Env(), h.config.Env...),
		})
	}
	return faulty
}

// load seals and opens under a key until it is told to stop, and returns how often
// each HSM was asked.
type load struct {
	stop    atomic.Bool
	clients sync.WaitGroup
	done    atomic.Int64
	mu      sync.Mutex
	asked   map[string]int
}

func startLoad(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, clients int) *load {
	tb.Helper()
	l := &load{asked: map[string]int{}}
	for range clients {
		l.clients.Go(func() {
			for !l.stop.Load() {
				if err := l.once(tb.Context(), pool, id); err != nil {
					tb.Errorf("%v", err)
					return
				}
			}
		})
	}
	return l
}

func (l *load) once(ctx context.Context, pool *hsmpool.Pool, id hsmpool.ObjectID) error {
	sealed, err := pool.Seal(ctx, id, []byte("plaintext"), nil)
	if err != nil {
		return fmt.Errorf("Seal: %w", err)
	}
	opened, err := pool.Open(ctx, id, sealed.IV[:], sealed.Ciphertext, nil)
	if err != nil {
		return fmt.Errorf("Open: %w", err)
	}
	if string(opened.Plaintext) != "plaintext" {
		return fmt.Errorf("Open: got %q", opened.Plaintext)
	}
	l.done.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[sealed.Trace.HSM]++
	l.asked[opened.Trace.HSM]++
	return nil
}

// more waits until so many round trips more have been made.
func (l *load) more(tb testing.TB, n int64) {
	tb.Helper()
	want := l.done.Load() + n
	eventually(tb, "more is sealed and opened", func() bool { return l.done.Load() >= want || tb.Failed() })
}

func (l *load) end() map[string]int {
	l.stop.Store(true)
	l.clients.Wait()
	return l.asked
}

func TestMembersShareTheWork(t *testing.T) {
	t.Parallel()
	pool, _ := newHSM(t).cluster(t, 2)
	l := startLoad(t, pool, generate(t, pool), 16)
	l.more(t, 200)
	asked := l.end()
	if len(asked) != 2 || asked["hsm-member0"] < 50 || asked["hsm-member1"] < 50 {
		t.Errorf("the members were asked %v times", asked)
	}
	if all := pool.Describe(); len(all) != 2 || all[0].HSMID == all[1].HSMID || all[0].WorkerPID == all[1].WorkerPID {
		t.Errorf("the members are %+v", all)
	}
}

// TestALostMemberCostsNoRequest loses one of two members under 64 requests in flight, each
// time in another way.
func TestALostMemberCostsNoRequest(t *testing.T) {
	t.Parallel()
	const hang = time.Second
	h := newHSM(t)
	pool, faulty := h.cluster(t, 2, func(c *hsmpool.Config) { c.HangTimeout = hang })
	l := startLoad(t, pool, generate(t, pool), 64)
	for name, lose := range map[string]func() (mend func()){
		"killed":              func() func() { kill(t, pool, syscall.SIGKILL); return func() {} },
		"frozen":              func() func() { kill(t, pool, syscall.SIGSTOP); return func() {} },
		"a call that hangs":   faulty[0].until(t, faultp11.Hang("C_Decrypt")),
		"a device that fails": faulty[0].until(t, faultp11.Fail("C_EncryptInit", ckr.DeviceError)),
		"sessions lost":       faulty[0].until(t, faultp11.SessionsInvalid()),
		"absent":              faulty[0].until(t, faultp11.Absent()),
	} {
		restarts := pool.Describe()[0].Restarts
		mend := lose()
		l.more(t, 500)
		eventually(t, "the fault is noticed, of a member that was "+name, func() bool {
			s := pool.Describe()[0]
			return s.State != hsmpool.Ready || s.Restarts > restarts || name == "sessions lost"
		})
		mend()
		l.more(t, 100)
		eventually(t, "the member is back after it was "+name, func() bool {
			return pool.Describe()[0].State == hsmpool.Ready
		})
		if t.Failed() {
			t.Fatalf("a request failed when a member was %s", name)
		}
	}
	l.end()
	if s := pool.Describe()[1]; s.Restarts != 0 {
		t.Errorf("the other member was restarted %d times", s.Restarts)
	}
}

// until returns what makes a fault and returns what ends it.
func (f faults) until(tb testing.TB, fault faultp11.Fault) func() func() {
	return func() func() {
		f.put(tb, fault)
		return func() { f.clear(tb, fault.Name()) }
	}
}

// TestSessionsThatDiedIdleCostNothing: what makes and destroys keys is never repeated, and
// does not have to be.
func TestSessionsThatDiedIdleCostNothing(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	for range 3 {
		id := generate(t, pool)
		fault.put(t, faultp11.SessionsInvalid())
		if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil {
			t.Errorf("Seal: %v", err)
		}
		fault.put(t, faultp11.SessionsInvalid())
		if _, err := pool.Destroy(t.Context(), id); err != nil {
			t.Errorf("Destroy: %v", err)
		}
		fault.put(t, faultp11.SessionsInvalid())
	}
	if s := pool.Describe()[0]; s.Restarts != 0 {
		t.Errorf("%d restarts", s.Restarts)
	}
}

// TestASuspensionEndsWithoutRequests: the state of an HSM that nobody asks for is told
// rightly, too.
func TestASuspensionEndsWithoutRequests(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.HangTimeout = time.Second })
	id := generate(t, pool)
	fault.put(t, faultp11.Fail("C_EncryptInit", ckr.DeviceError))
	eventually(t, "the hsm is suspended", func() bool {
		_, _ = pool.Seal(t.Context(), id, []byte("x"), nil)
		return pool.Describe()[0].State == hsmpool.Suspended
	})
	fault.clear(t, "C_EncryptInit")
	eventually(t, "the pool is healthy", func() bool { return pool.Health() == nil })
}

// TestAFailingHSMIsSuspended: requests fail at once meanwhile, and succeed when it has
// recovered.
func TestAFailingHSMIsSuspended(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t)
	id := generate(t, pool)
	fault.put(t, faultp11.Fail("C_EncryptInit", ckr.DeviceError))
	eventually(t, "the hsm is suspended or being restarted for long", func() bool {
		_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		wantClass(t, err, hsmpool.Unavailable)
		return pool.Describe()[0].State == hsmpool.Suspended
	})
	if err := pool.Health(); err == nil {
		t.Error("a pool whose only HSM is suspended is healthy")
	}
	fault.clear(t, "C_EncryptInit")
	recovered := time.Now()
	eventually(t, "the hsm has recovered", func() bool {
		_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		return err == nil
	})
	if took := time.Since(recovered); took > 3*time.Second {
		t.Errorf("it took %v to recover", took)
	}
	eventually(t, "the pool is healthy", func() bool { return pool.Health() == nil })
}

// TestAMemberThatComesLate: the others serve.
func TestAMemberThatComesLate(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	faulty := h.members(t, 2)
	faulty[1].put(t, faultp11.Absent())
	pool := h.open(t, func(c *hsmpool.Config) { c.Availability = 1 })
	l := startLoad(t, pool, generate(t, pool), 4)
	l.more(t, 50)
	eventually(t, "the second member has failed to start", func() bool { return pool.Describe()[1].Reason != "" })
	if s := pool.Describe()[1]; s.State != hsmpool.Starting {
		t.Errorf("the absent member is %v: %s", s.State, s.Reason)
	}
	faulty[1].clear(t, "absent")
	eventually(t, "the second member serves", func() bool { return pool.Describe()[1].State == hsmpool.Ready })
	l.more(t, 50)
	if asked := l.end(); asked["hsm-member1"] == 0 {
		t.Errorf("the members were asked %v times", asked)
	}
}
