package integration

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// drains is how often the server is stopped.
const drains = 8

// At whatever moment SIGTERM comes, no answer is lost: what was done has been
// answered, what was not answered was not done, streams are told why they end,
// and the journal is closed as it should be.
func TestStoppedUnderLoad(t *testing.T) {
	site := newSite(t, harness.Options{})
	answered := map[string]bool{}
	var key string
	for i := range drains {
		server := start(t, site)
		if i > 0 {
			awaitLog(t, server, "audit journal is open", "clean=true")
		}
		client := dial(t, site, server, harness.Admin)
		if key == "" {
			key = newKey(t, client)
		}
		followed := follow(t, client)
		health := watchHealth(t, client)
		health(serving)
		for _, id := range encryptUntilStopped(t, site, server, key) {
			answered[id] = true
		}
		health(notServing)
		expectShutDown(t, <-followed)
		if err := server.Wait(within(t, 30*time.Second)); err != nil {
			t.Fatalf("after SIGTERM the server ended with %v\n%s", err, tail(server.Stderr.String()))
		}
		if _, err := encryptID(t, client, key); status.Code(err) != codes.Unavailable {
			t.Errorf("a request to a server that has stopped ended with %v", err)
		}
	}
	if out := mustRun(t, nil, "audit", "verify", site.DataDir); strings.Contains(out, "Unfinished") {
		t.Errorf("the journal was not closed well:\n%s", out)
	}
	server := start(t, site)
	expectSame(t, answered, allEvents(t, dial(t, site, server, harness.Admin)))
}

// follow follows the events, and tells how that ends.
func follow(t *testing.T, client *harness.Client) <-chan error {
	t.Helper()
	stream, err := client.Operator.StreamEvents(within(t, time.Minute), &operatorv1.StreamEventsRequest{Follow: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

func expectShutDown(t *testing.T, err error) {
	t.Helper()
	if status.Code(err) != codes.Unavailable || harness.ErrorInfo(err).GetReason() != "ServiceUnavailableException" ||
		!strings.Contains(err.Error(), "shutting down") {
		t.Errorf("the stream ended with %v, want to be told of the end", err)
	}
}

// encryptUntilStopped keeps requests in flight over several connections, stops
// the server at some random moment and returns the ids of all that were
// answered. Each that was not must not have reached the server.
func encryptUntilStopped(t *testing.T, site *harness.Site, server *harness.Server, key string) []string {
	t.Helper()
	var answers atomic.Int64
	enough := 1 + rand.Int64N(300)
	stopping := make(chan struct{})
	stop := sync.OnceFunc(func() {
		defer close(stopping)
		kill(t, server.PID(), syscall.SIGTERM)
	})
	var clients []*harness.Client
	for range 8 {
		clients = append(clients, dial(t, site, server, harness.User))
	}
	ids := make([][]string, inFlight)
	var all sync.WaitGroup
	for i := range inFlight {
		client := clients[i%len(clients)]
		all.Go(func() {
			for {
				id, err := encryptID(t, client, key)
				if err != nil {
					expectUntouched(t, id, err)
					return
				}
				ids[i] = append(ids[i], id)
				if answers.Add(1) == enough {
					stop()
				}
			}
		})
	}
	all.Wait()
	<-stopping
	var flat []string
	for _, some := range ids {
		flat = append(flat, some...)
	}
	return flat
}

// encryptID encrypts and returns the request's id, if it was answered.
func encryptID(t *testing.T, client *harness.Client, key string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var header harness.Header
	_, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte(plaintext)}, header.Option())
	return header.RequestID(), err
}

// expectUntouched expects that a request has failed before the server had it.
func expectUntouched(t *testing.T, id string, err error) {
	t.Helper()
	if status.Code(err) != codes.Unavailable || id != "" || harness.ErrorInfo(err) != nil {
		t.Errorf("request %q ended with %v, want to be refused by the connection", id, err)
	}
}

// expectSame expects an event of success for each answer, and no other.
func expectSame(t *testing.T, answered map[string]bool, events []harness.Event) {
	t.Helper()
	recorded := map[string]bool{}
	for _, e := range events {
		if e.EventName != "Encrypt" {
			continue
		}
		recorded[e.RequestID] = true
		if !answered[e.RequestID] || e.ErrorCode != "" {
			t.Errorf("request %s has an event (%q), and its client no answer", e.RequestID, e.ErrorCode)
		}
	}
	for id := range answered {
		if !recorded[id] {
			t.Errorf("request %s was answered and has no event", id)
		}
	}
	t.Logf("%d answers, %d events", len(answered), len(recorded))
}
