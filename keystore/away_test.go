package keystore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// takeAway takes the token from a service that has stopped, so that it starts without
// one, and bringBack gives it back to one that runs.
func (s *service) takeAway() {
	s.t.Helper()
	s.must(os.Rename(s.path("tokens"), s.path("elsewhere")))
	s.must(os.Mkdir(s.path("tokens"), 0o700))
	s.away = true
}

func (s *service) bringBack() {
	s.t.Helper()
	s.must(os.Remove(s.path("tokens")))
	s.must(os.Rename(s.path("elsewhere"), s.path("tokens")))
	s.away = false
}

// cutOff leaves what a crash leaves of a request that has made key material in the
// token: its intent, and material that no record has.
func (s *service) cutOff(i audit.Intent) *audit.Intent {
	s.t.Helper()
	id := hsmpool.ObjectID(uuid.New())
	i.RequestID, i.RequestedBy, i.BackingKeyID = uuid.NewString(), admin, id.String()
	s.must(s.trail.RecordIntent(s.t.Context(), &i))
	_, err := s.pool.Generate(s.t.Context(), hsmpool.GenerateRequest{ID: id, Label: i.KeyARN, Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	s.must(err)
	return &i
}

// soonAs is as, for a request that has to be answered in less time than an HSM is
// waited for.
func (s *service) soonAs(principal string) context.Context {
	ctx, cancel := context.WithTimeout(s.as(principal), 5*time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

// A service whose HSM is away when it starts serves what needs none, and settles what a
// crash has left when the HSM comes, without another start.
func TestAStartWithoutTheHSM(t *testing.T) {
	s := newService(t)
	s.initToken()
	s.start()
	key, other := s.createKey(), s.createKey()
	rotation := s.cutOff(audit.Intent{EventName: "RotateKeyOnDemand", KeyARN: key.GetArn()})
	again := s.cutOff(audit.Intent{EventName: "RotateKeyOnDemand", KeyARN: key.GetArn()}) // as if of the crash before
	creation := s.cutOff(audit.Intent{EventName: "CreateKey", KeyARN: s.scope.keyARN(uuid.New())})
	s.stop()
	s.takeAway()
	s.start()
	defer s.stop()

	t.Run("reads", func(t *testing.T) {
		if got := s.describe(*key.KeyId); got.GetKeyState() != enabled {
			t.Errorf("the key is %v", got)
		}
	})
	t.Run("changes", func(t *testing.T) {
		tag := func(id *string) error {
			_, err := s.TagResource(s.soonAs(admin), &kmsv1.TagResourceRequest{KeyId: id, Tags: []*kmsv1.Tag{{TagKey: new("a"), TagValue: new("b")}}})
			return err
		}
		if err := tag(other.KeyId); err != nil {
			t.Errorf("a change of a key without an open intent: %v", err)
		}
		expectKind(t, tag(key.KeyId), annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "was cut off, and is settled when its HSM is available again")
		if err := s.renew(t.Context(), uuid.MustParse(*key.KeyId)); !errors.Is(err, errHeld) {
			t.Errorf("a renewal of the key: %v", err)
		}
	})
	t.Run("uses", func(t *testing.T) {
		_, err := s.Encrypt(s.soonAs(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
		expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_KEY_UNAVAILABLE, "is not available")
		if err := s.Health(); err == nil || !strings.Contains(err.Error(), "HSM: ") {
			t.Errorf("the health is %v", err)
		}
	})
	t.Run("generation", func(t *testing.T) {
		before := len(s.openIntents(rotation, again, creation))
		for range 3 {
			_, err := s.CreateKey(s.soonAs(admin), new(kmsv1.CreateKeyRequest))
			expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The HSM is not available.")
		}
		s.settler.mu.Lock()
		defer s.settler.mu.Unlock()
		if len(s.settler.open) != 0 || before != 3 {
			t.Errorf("%d intents of the crash are open, and %d of requests that no HSM was asked for", before, len(s.settler.open))
		}
	})
	t.Run("backup", func(t *testing.T) {
		if err := s.backup(t.Context(), io.Discard); err != nil {
			t.Error(err)
		}
	})

	s.bringBack()
	for _, event := range []struct {
		name string
		n    int
	}{{"CreateKey", 6}, {"RotateKeyOnDemand", 2}} {
		if e := s.awaitEvent(event.name, event.n); e.ErrorMessage != undone || e.EventType != audit.EventTypeService {
			t.Errorf("the event is %+v", e)
		}
	}
	if left := s.openIntents(rotation, again, creation); len(left) != 0 {
		t.Errorf("intents of %v are open still", left)
	}
	_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	s.must(err)
	for s.disable(key.KeyId) != nil && t.Context().Err() == nil {
		time.Sleep(time.Millisecond) // the key is given back just after the event
	}
	s.expectOneTruth()
}

// openIntents returns the names of those intents that have no event.
func (s *service) openIntents(all ...*audit.Intent) (open []string) {
	for _, i := range all {
		if s.trail.IntentIsOpen(i.RequestID) {
			open = append(open, i.EventName)
		}
	}
	return open
}

func (s *service) disable(id *string) error {
	_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id})
	return err
}

// Material that was deleted while its HSM was away is destroyed at the next start that
// has one.
func TestImportedMaterialDeletedWithoutTheHSM(t *testing.T) {
	s := newService(t)
	s.initToken()
	s.start()
	key := s.awaitingKey(aKeySpec, encryptDecrypt)
	s.importInto(key.KeyId, wrapSHA1, bytes.Repeat([]byte{7}, 32))
	s.stop()
	s.takeAway()
	s.start()
	_, err := s.DeleteImportedKeyMaterial(s.soonAs(admin), &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: key.KeyId})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "is not available")
	if got := s.state(key.KeyId); got != pendingImport {
		t.Errorf("the key is %v", got)
	}
	s.bringBack()
	s.stop()
	s.start()
	defer s.stop()
	s.expectOneTruth()
	s.importInto(key.KeyId, wrapSHA1, bytes.Repeat([]byte{7}, 32))
	_, err = s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	s.must(err)
}

// What is due waits for the HSM, and leaves no event of a failure.
func TestWhatIsDueWaitsForTheHSM(t *testing.T) {
	now := time.Now()
	s := newService(t)
	s.initToken()
	s.start()
	key := s.createKey()
	s.schedule(key.KeyId)
	s.stop()
	s.takeAway()
	s.now = func() time.Time { return now.Add(31 * day) }
	s.start()
	defer s.stop()
	if err := s.deleteDue(t.Context(), s.view.get(uuid.MustParse(*key.KeyId))); err == nil || !waitsForHSM(err) {
		t.Errorf("a deletion without the HSM: %v", err)
	}
	for _, e := range s.events() {
		if e.EventName == deleteKey {
			t.Errorf("nothing was tried, and the event is %+v", e)
		}
	}
	s.bringBack()
	awaitHSM(t.Context(), s.hsm)
	s.must(s.deleteDue(t.Context(), s.view.get(uuid.MustParse(*key.KeyId)))) // which would be in 10 s
	if e := s.awaitEvent(deleteKey, 1); e.ErrorCode != "" {
		t.Errorf("the event is %+v", e)
	}
}

// An HSM that is there and refuses to settle what was cut off is asked less and less often.
func TestARefusalToSettleIsNotTriedAgainAtOnce(t *testing.T) {
	t.Parallel()
	s, hsm, _ := startBorrowed(t)
	intent := s.cutOff(audit.Intent{EventName: "CreateKey", KeyARN: s.scope.keyARN(uuid.New())})
	tries, class := 0, hsmpool.Internal
	hsm.destroy = func() error {
		tries++
		return &hsmpool.Error{Class: class}
	}
	open := []openChange{{intent: intent}}
	for i, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		open = s.settleAll(t.Context(), open)
		open = s.settleAll(t.Context(), open) // which is too early
		if len(open) != 1 || tries != i+1 || open[0].pause != pause {
			t.Fatalf("after %d tries, want %d: %+v, want a pause of %v", tries, i+1, open, pause)
		}
		open[0].from = time.Time{}
	}
	open[0].pause = longestSettlePause
	if open = s.settleAll(t.Context(), open); open[0].pause != longestSettlePause {
		t.Errorf("the pause is %v, want %v", open[0].pause, longestSettlePause)
	}
	open, class = []openChange{{intent: intent}}, hsmpool.Unavailable
	if open = s.settleAll(t.Context(), open); len(open) != 1 || !open[0].from.IsZero() {
		t.Errorf("what passes is tried again at the next turn: %+v", open)
	}
	hsm.destroy = nil
	if open = s.settleAll(t.Context(), open); len(open) != 0 {
		t.Errorf("the HSM refuses no more: %+v", open)
	}
}
