package integration

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// inFlight is how many requests the load tests keep under way.
const inFlight = 64

// Whatever happens to the process that has the PKCS#11 library loaded, no
// client sees an error, and every answer is right.
func TestWorkerKilledUnderLoad(t *testing.T) {
	for _, test := range []struct {
		name     string
		every    time.Duration
		requests int64 // at least
		kills    int64 // at least
		most     int64 // kills; 0: as many as it takes
	}{
		{name: "every 2 s", every: 2 * time.Second, requests: 10_000, kills: 3},
		// A worker that dies young is replaced at once if it has served.
		{name: "every 300 ms", every: 300 * time.Millisecond, requests: 3_000, kills: 10, most: 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.most == 0 && testing.Short() {
				t.Skip("takes 7 s")
			}
			site := newSite(t, harness.Options{})
			server := start(t, site)
			client := dial(t, site, server, harness.Admin)
			key := newKey(t, client)
			killer := startKiller(t, server, test.every, test.most)
			more := func(done int64) bool {
				killer.progress.Store(done)
				return done < test.requests || killer.kills.Load() < test.kills
			}

			done, err := harness.Load(within(t, time.Minute), inFlight, more, func(ctx context.Context, _ int) error {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				return harness.RoundTrip(ctx, client, key)
			})
			killer.stop()
			if err != nil {
				t.Fatalf("after %d round trips and %d kills a client saw: %v", done, killer.kills.Load(), err)
			}
			t.Logf("%d round trips, %d kills", done, killer.kills.Load())
			expectRestarts(t, client, uint32(killer.kills.Load()))
		})
	}
}

// killer kills the server's worker again and again, each time after the
// requests that met the last kill have been answered: a request is tried again
// once, so that one which is hit twice may fail.
type killer struct {
	server   *harness.Server
	every    time.Duration
	most     int64 // 0: no limit
	kills    atomic.Int64
	progress atomic.Int64 // of the load, in round trips
	stop     func()       // may be called more than once
}

// startKiller kills until stop, the end of the test or the end of the server.
func startKiller(t *testing.T, server *harness.Server, every time.Duration, most int64) *killer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan struct{})
	k := &killer{server: server, every: every, most: most}
	k.stop = func() {
		cancel()
		<-finished
	}
	t.Cleanup(k.stop)
	go func() {
		defer close(finished)
		if err := k.run(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("killing workers: %v", err)
		}
	}()
	return k
}

func (k *killer) run(ctx context.Context) error {
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	var last int
	var settled int64
	for k.most == 0 || k.kills.Load() < k.most {
		select {
		case <-tick.C:
		case <-k.server.Exited():
			return nil
		case <-ctx.Done():
			return nil
		}
		if k.progress.Load() < settled {
			continue
		}
		pid, err := k.server.Worker(ctx, last)
		if errors.Is(err, harness.ErrExited) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		last, settled = pid, k.progress.Load()+2*inFlight
		k.kills.Add(1)
	}
	return nil
}

// expectRestarts asks the server how often it has restarted the worker.
func expectRestarts(t *testing.T, client *harness.Client, want uint32) {
	t.Helper()
	if got := describeHSM(t, client).GetRestarts(); got < want {
		t.Errorf("the server counts %d restarts after %d kills", got, want)
	}
}

// Not even the loss of the next worker, while it starts, is seen.
func TestWorkerKilledWhileItStarts(t *testing.T) {
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	killed := make(chan error, 1)
	go func() { killed <- killTwice(t.Context(), server) }()

	var limit atomic.Int64 // 0: none yet
	more := func(done int64) bool {
		select {
		case err := <-killed:
			if err != nil {
				t.Error(err)
			}
			limit.Store(done + 2*inFlight)
		default:
		}
		return limit.Load() == 0 || done < limit.Load()
	}
	_, err := harness.Load(within(t, 30*time.Second), inFlight, more, func(ctx context.Context, _ int) error {
		return harness.RoundTrip(ctx, client, key)
	})
	if err != nil {
		t.Errorf("a client saw: %v", err)
	}
}

// killTwice kills the server's worker, and the next one as soon as it exists.
func killTwice(ctx context.Context, server *harness.Server) error {
	last := 0
	for range 2 {
		pid, err := server.Worker(ctx, last)
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		last = pid
	}
	return nil
}

// A worker that stops answering (here: SIGSTOP) is replaced like one that died.
func TestHungWorkerIsReplaced(t *testing.T) {
	site := newSite(t, harness.Options{HangTimeout: 500 * time.Millisecond})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	hung, err := server.Worker(within(t, 10*time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	kill(t, hung, syscall.SIGSTOP)

	_, err = harness.Load(within(t, 30*time.Second), inFlight, func(done int64) bool { return done < 500 }, func(ctx context.Context, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return harness.RoundTrip(ctx, client, key)
	})
	if err != nil {
		t.Fatalf("a client saw: %v", err)
	}
	if err := syscall.Kill(hung, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the hung worker %d still exists (%v)", hung, err)
	}
	expectRestarts(t, client, 1)
}
