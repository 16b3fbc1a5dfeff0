package integration

import (
	"context"
	"crypto/rand"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// killsOfASite is how often the server of one data directory is killed, because
// all its events are read after each kill.
const killsOfASite = 20

// After kill -9 at any moment, workers being killed meanwhile too, the journal
// is whole, and every answer that any client received is in it; what was in it
// before is still there. The exported files and their digests are good after it.
func TestServerKilledUnderLoad(t *testing.T) {
	for left := killCount(t); left > 0; left -= killsOfASite {
		killUnderLoad(t, min(left, killsOfASite))
	}
}

// killUnderLoad kills the server of a new data directory n times.
func killUnderLoad(t *testing.T, n int) {
	t.Helper()
	site := newSite(t, harness.Options{})
	var key string
	var before []harness.Event
	var answered []answer
	for range n {
		server := start(t, site)
		client := dial(t, site, server, harness.Admin)
		if key == "" {
			key = newKey(t, client)
		}
		answered = append(answered, encryptUntilKilled(t, client, server, key)...)

		mustRun(t, nil, "audit", "verify", site.DataDir)
		server = start(t, site)
		client = dial(t, site, server, harness.Admin)
		mustRun(t, nil, "audit", "verify", site.DataDir)
		after := allEvents(t, client)
		expectPrefix(t, before, after)
		expectAnswered(t, answered, after)
		expectDecrypts(t, client, answered[len(answered)-1])
		before = after
		stop(t, server.Process)
		mustRun(t, nil, "audit", "verify", site.DataDir)
		expectExported(t, site.DataDir)
	}
	t.Logf("%d kills, %d answers, %d events", n, len(answered), len(before))
	expectMissed(t, site.DataDir)
}

// expectMissed expects that a journal which lacks a segment is not good.
func expectMissed(t *testing.T, dataDir string) {
	t.Helper()
	whole := filepath.Join(dataDir, "journal")
	segments, err := filepath.Glob(filepath.Join(whole, "*.journal"))
	if err != nil || len(segments) < 3 {
		t.Fatalf("the journal has %d segments after so many starts (%v)", len(segments), err)
	}
	for _, missing := range []string{segments[0], segments[len(segments)/2]} {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "journal"), os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "journal", filepath.Base(missing))); err != nil {
			t.Fatal(err)
		}
		if stdout, _, err := strongroom(t, nil, "audit", "verify", dir); err == nil {
			t.Errorf("a journal without %s is said to be good:\n%s", filepath.Base(missing), stdout)
		}
	}
}

// killCount is how often the server is killed.
func killCount(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("STRONGROOM_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("STRONGROOM_KILLS is %q, not a positive number", s)
		}
		return n
	}
	if testing.Short() {
		return 1
	}
	return 3
}

// plaintext is what encrypt encrypts.
const plaintext = "attack at dawn"

// answer is what a client received.
type answer struct {
	requestID string
	blob      []byte
}

// encryptUntilKilled keeps requests in flight, kills the server after some
// random number of answers and returns all answers.
func encryptUntilKilled(t *testing.T, client *harness.Client, server *harness.Server, key string) []answer {
	t.Helper()
	extra, err := rand.Int(rand.Reader, big.NewInt(2000))
	if err != nil {
		t.Fatal(err)
	}
	enough := 500 + extra.Int64()
	var mu sync.Mutex
	var answers []answer
	var once sync.Once
	workers := startKiller(t, server, 200*time.Millisecond, 2)
	more := func(done int64) bool {
		workers.progress.Store(done)
		if done >= enough {
			go once.Do(server.Kill)
		}
		return true
	}
	_, err = harness.Load(within(t, time.Minute), inFlight, more, func(ctx context.Context, _ int) error {
		a, err := encrypt(ctx, client, key)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		answers = append(answers, a)
		return nil
	})
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("the load ended with %v, want the end of the server", err)
	}
	if harness.ErrorInfo(err) != nil {
		t.Fatalf("the server answered with an error: %v", err)
	}
	<-server.Exited()
	return answers
}

func encrypt(ctx context.Context, client *harness.Client, key string) (answer, error) {
	var header harness.Header
	res, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte(plaintext)}, header.Option())
	return answer{header.RequestID(), res.GetCiphertextBlob()}, err
}

func allEvents(t *testing.T, client *harness.Client) []harness.Event {
	t.Helper()
	events, err := client.Events(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// expectPrefix expects that what was recorded once is still recorded.
func expectPrefix(t *testing.T, before, after []harness.Event) {
	t.Helper()
	same := func(a, b harness.Event) bool { return a.Sequence == b.Sequence && a.JSON == b.JSON }
	if len(after) < len(before) || !slices.EqualFunc(before, after[:len(before)], same) {
		t.Errorf("the %d events read before the last start are not the first of the %d now", len(before), len(after))
	}
}

// expectAnswered expects one event for each answer.
func expectAnswered(t *testing.T, answers []answer, events []harness.Event) {
	t.Helper()
	recorded := map[string]int{}
	for _, e := range events {
		recorded[e.RequestID]++
	}
	for _, a := range answers {
		if a.requestID == "" || recorded[a.requestID] != 1 {
			t.Errorf("request %q was answered and has %d events, want 1", a.requestID, recorded[a.requestID])
		}
	}
}

func expectDecrypts(t *testing.T, client *harness.Client, a answer) {
	t.Helper()
	res, err := client.KMS.Decrypt(within(t, 10*time.Second), &kmsv1.DecryptRequest{CiphertextBlob: a.blob})
	if err != nil || string(res.GetPlaintext()) != plaintext {
		t.Errorf("an answer from before the kill decrypts to %q, %v", res.GetPlaintext(), err)
	}
}
