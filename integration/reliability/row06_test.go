package reliability

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Row 6: two thousand requests for an HSM that hangs. They wait outside of the library:
// threads stay few, keys are made, what needs no HSM is answered, and when the HSM is
// back so are all.
func TestRow06RequestsForAHungHSM(t *testing.T) {
	row{
		world: options{
			hang: 30 * time.Second, hsm: []string{"max_in_flight: 1024"}, limits: "{max_in_flight: 4096}",
		},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := w.hsms[0].faults.Set(faultp11.Hang("C_EncryptInit")); err != nil {
				return err
			}
			crowd, err := w.dialCrowd(20)
			if err != nil {
				return err
			}
			clients := w.burst(2000, func() error { _, err := w.encryptBy(crowd(), key); return err })
			if err := clients.more(300); err != nil { // the others wait
				return err
			}
			err = firstOf(w.fewThreads(), w.answersWithoutHSM(key), w.makesKeys(), w.queueShown())
			if err := firstOf(clients.stopRefused("ThrottlingException", "DeadlineExceeded"), err); err != nil {
				return err
			}
			if err := w.hsms[0].faults.Clear(); err != nil {
				return err
			}
			return w.recovers(time.Now(), time.Second, func() error { return w.use(key) })
		},
		without: []needed{{defence.Bound, errFailed}},
	}.test(t)
}

// mostThreads is far less than requests, and enough for a process with two cores that
// waits for the network and the disk.
const mostThreads = 100

// fewThreads wants the server and its worker to have few threads.
func (w *world) fewThreads() error {
	d, err := w.describe(w.hsms[0])
	if err != nil {
		return err
	}
	for _, pid := range []int{w.server.PID(), int(d.GetWorkerPid())} {
		threads, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
		if err != nil {
			return err
		}
		w.logf("process %d has %d threads", pid, len(threads))
		if len(threads) > mostThreads {
			return broken(errUnbounded, "process %d has %d threads, more than %d", pid, len(threads), mostThreads)
		}
	}
	return nil
}

// queueShown wants operators to see that requests are at the HSM, and that others wait.
func (w *world) queueShown() error {
	d, err := w.describe(w.hsms[0])
	if err != nil {
		return err
	}
	if d.GetInFlight() == 0 || d.GetWaiting() == 0 {
		return broken(errUntold, "%d requests are in flight and %d wait", d.GetInFlight(), d.GetWaiting())
	}
	return nil
}

// answersWithoutHSM wants a request to be served that no HSM is needed for.
func (w *world) answersWithoutHSM(key string) error {
	return served(w.call("DescribeKey", func(ctx context.Context) error {
		_, err := w.client.KMS.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &key})
		return err
	}))
}

// makesKeys wants a key to be made.
func (w *world) makesKeys() error {
	_, err := w.newKey()
	return served(err)
}

// Row 6: everybody asks for one key of a slow HSM. Whoever asks for another one does not
// wait for all of them.
func TestRow06HotKey(t *testing.T) {
	row{
		world: options{
			deadline: 6 * time.Second, hsm: []string{"max_in_flight: 1000"}, limits: "{max_in_flight: 2000}",
			faults: []faultp11.Fault{faultp11.Delay("C_EncryptInit", 3*time.Millisecond)},
		},
		scenario: func(w *world) error {
			hot, err := w.newKey()
			if err != nil {
				return err
			}
			cold, err := w.newKey()
			if err != nil {
				return err
			}
			crowd, err := w.dialCrowd(4)
			if err != nil {
				return err
			}
			clients := w.load(400, func() error { _, err := w.encryptBy(crowd(), hot); return err })
			if err := clients.more(100); err != nil {
				return err
			}
			err = w.prompt(cold, hot)
			return firstOf(err, clients.stopRefused("ThrottlingException"))
		},
		without: []needed{{defence.Fairness, errLate}},
	}.test(t)
}

// prompt wants a request for one key to be answered far sooner than one for the key that
// everybody asks for, made at the same time.
func (w *world) prompt(cold, hot string) error {
	var coldTook, hotTook time.Duration
	var coldErr, hotErr error
	var both sync.WaitGroup
	both.Go(func() { coldTook, coldErr = w.timed(cold) })
	both.Go(func() { hotTook, hotErr = w.timed(hot) })
	both.Wait()
	w.logf("a request for another key took %v, one for the hot key %v", coldTook.Round(time.Millisecond), hotTook.Round(time.Millisecond))
	if err := firstOf(served(coldErr), served(hotErr)); err != nil {
		return err
	}
	if coldTook > hotTook*2/3 {
		return broken(errLate, "a request for another key waited %v, as for the hot key, %v", coldTook, hotTook)
	}
	return nil
}

// timed uses a key and returns how long that took.
func (w *world) timed(key string) (time.Duration, error) {
	begun := time.Now()
	_, err := w.encrypt(key)
	return time.Since(begun), err
}
