package integration

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

const (
	serving    = grpc_health_v1.HealthCheckResponse_SERVING
	notServing = grpc_health_v1.HealthCheckResponse_NOT_SERVING
)

// A worker that comes back to a PIN that is wrong by now stops for an operator;
// health, the log and `hsm info` say so, and the PIN was tried once.
func TestHealthAfterThePINWasChanged(t *testing.T) {
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	newKey(t, client)
	awaitHealth(t, client, serving)

	if err := site.Token.WritePIN("not the PIN"); err != nil {
		t.Fatal(err)
	}
	killWorker(t, server)
	awaitHealth(t, client, notServing)
	// While the worker restarts, health may have said that it is starting.
	stopped := fmt.Sprintf("not serving: reason=\"Region %s: HSM: hsm %s is stopped", harness.Region, describeHSM(t, client).GetHsmId())
	awaitLog(t, server, stopped, "CKR_PIN_INCORRECT")
	h := describeHSM(t, client)
	if h.GetState() != operatorv1.HsmState_HSM_STATE_STOPPED || !strings.Contains(h.GetReason(), "CKR_PIN_INCORRECT") {
		t.Errorf("the HSM is %v because %q, want STOPPED because of CKR_PIN_INCORRECT", h.GetState(), h.GetReason())
	}
	failures := 0
	for _, e := range hsmLog(t, client) {
		if e.Function == "C_Login" && e.RV != 0 {
			failures++
		}
	}
	if failures != 1 {
		t.Errorf("the wrong PIN was tried %d times, want once", failures)
	}
}

// A full disk (here: a file size limit on the running process) stops answers
// rather than records; when there is room again, the server goes on by itself.
func TestHealthWhileTheJournalCannotBeWritten(t *testing.T) {
	site := newSite(t, harness.Options{})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)

	limit := limitFileSize(t, server, 0)
	err := harness.RoundTrip(within(t, 10*time.Second), client, key)
	if got := harness.ErrorInfo(errors.Unwrap(err)).GetReason(); got != "ServiceUnavailableException" {
		t.Errorf("without a journal a request ends with %v, want ServiceUnavailableException", err)
	}
	awaitHealth(t, client, notServing)
	awaitLog(t, server, "not serving:", "")
	awaitLog(t, server, "audit journal: journal is unavailable", "file too large")

	limitFileSize(t, server, limit)
	awaitHealth(t, client, serving)
	if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
		t.Errorf("the disk has room again: %v", err)
	}
	stop(t, server.Process)
	mustRun(t, nil, "audit", "verify", site.DataDir)
}

// limitFileSize sets how large the files that a process writes can be, and
// returns what the limit was.
func limitFileSize(t *testing.T, server *harness.Server, bytes uint64) uint64 {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(server.PID(), unix.RLIMIT_FSIZE, nil, &old); err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: bytes, Max: old.Max}
	if err := unix.Prlimit(server.PID(), unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	return old.Cur
}

// awaitHealth waits until the health service says so.
func awaitHealth(t *testing.T, client *harness.Client, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	watchHealth(t, client)(want)
}

// watchHealth asks for the changes of health, and returns a function that waits
// for one.
func watchHealth(t *testing.T, client *harness.Client) (await func(grpc_health_v1.HealthCheckResponse_ServingStatus)) {
	t.Helper()
	stream, err := client.Health.Watch(within(t, 20*time.Second), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for {
			answer, err := stream.Recv()
			if err != nil {
				t.Fatalf("waiting for %v: %v", want, err)
			}
			if answer.GetStatus() == want {
				return
			}
		}
	}
}

// awaitLog waits for a line of the server's log that has both texts.
func awaitLog(t *testing.T, server *harness.Server, first, second string) {
	t.Helper()
	line, err := server.Stderr.Await(within(t, 10*time.Second), server.Exited(), first)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(line, second) {
		t.Errorf("the line %q does not mention %q", line, second)
	}
}

func describeHSM(t *testing.T, client *harness.Client) *operatorv1.HsmDescription {
	t.Helper()
	answer, err := client.Operator.DescribeHsms(within(t, 10*time.Second), &operatorv1.DescribeHsmsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.GetHsms()) != 1 {
		t.Fatalf("the server describes %d HSMs, want 1", len(answer.GetHsms()))
	}
	return answer.GetHsms()[0]
}

// After SIGTERM the requests in flight are answered, and then the process ends
// well. Here they wait for a worker that stands still until after the signal.
func TestRequestsInFlightAreAnsweredBeforeTheEnd(t *testing.T) {
	site := newSite(t, harness.Options{HangTimeout: 20 * time.Second})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	key := newKey(t, client)
	worker, err := server.Worker(within(t, 10*time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	kill(t, worker, unix.SIGSTOP)

	answers := make(chan error, inFlight)
	var sent sync.WaitGroup
	for range inFlight {
		sent.Go(func() {
			_, err := client.KMS.Encrypt(t.Context(), &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte(plaintext)})
			answers <- err
		})
	}
	awaitInFlight(t, client, inFlight)
	await := watchHealth(t, client)
	await(serving)
	kill(t, server.PID(), unix.SIGTERM)
	await(notServing)
	kill(t, worker, unix.SIGCONT)
	sent.Wait()
	for range inFlight {
		if err := <-answers; err != nil {
			t.Errorf("a request in flight at SIGTERM ended with %v", err)
		}
	}
	if err := server.Wait(within(t, 30*time.Second)); err != nil {
		t.Errorf("after SIGTERM the server ended with %v", err)
	}
}

func kill(t *testing.T, pid int, s unix.Signal) {
	t.Helper()
	if err := unix.Kill(pid, s); err != nil {
		t.Fatalf("sending %v to process %d: %v", s, pid, err)
	}
}

// awaitInFlight waits until so many requests wait for the HSM.
func awaitInFlight(t *testing.T, client *harness.Client, n uint32) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for describeHSM(t, client).GetInFlight() < n {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait for the HSM, want %d", describeHSM(t, client).GetInFlight(), n)
		}
	}
}
