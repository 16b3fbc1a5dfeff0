package keystore

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

var errDiskFull = errors.New("disk full")

// faultyTrail is a trail whose journal fails for a while.
type faultyTrail struct {
	Trail
	// fault is how RecordEvent fails: nil does not, and is set at any time.
	fault atomic.Pointer[func(record func() error) error]
	// intents says that RecordIntent fails.
	intents atomic.Bool
}

func (f *faultyTrail) RecordEvent(ctx context.Context, e *audit.APIEvent) error {
	record := func() error { return f.Trail.RecordEvent(ctx, e) }
	if fault := f.fault.Load(); fault != nil {
		return (*fault)(record)
	}
	return record()
}

func (f *faultyTrail) RecordIntent(ctx context.Context, i *audit.Intent) error {
	if f.intents.Load() {
		return errDiskFull
	}
	return f.Trail.RecordIntent(ctx, i)
}

// startFaulty starts a service on a faultyTrail.
func startFaulty(t *testing.T) (*service, *faultyTrail) {
	t.Helper()
	s, f := newService(t), new(faultyTrail)
	s.initToken()
	s.startWith(f.put)
	return s, f
}

func (f *faultyTrail) put(c *Config) { f.Trail, c.Trail = c.Trail, f }

// notWritten is a journal that cannot be written, writtenLate one that writes
// what it says it could not.
var (
	notWritten  = func(func() error) error { return errDiskFull }
	writtenLate = func(record func() error) error { return errors.Join(record(), context.DeadlineExceeded) }
)

// TestAChangeWhoseEventIsNotRecordedKeepsItsKeyUntilItIs breaks the journal
// after the intent of a change.
func TestAChangeWhoseEventIsNotRecordedKeepsItsKeyUntilItIs(t *testing.T) {
	t.Parallel()
	disable := asks((*Keystore).DisableKey, func(s *service) *kmsv1.DisableKeyRequest {
		return &kmsv1.DisableKeyRequest{KeyId: s.named("target")}
	})
	rotate := func(s *service, ctx context.Context) error { return s.renewNow(ctx, s.named("target")) }
	for name, c := range map[string]struct {
		event   string
		do      func(*service, context.Context) error
		fault   func(func() error) error
		message string // of the only event of the change
	}{
		"a request":                        {"DisableKey", disable, notWritten, tookEffect},
		"the service itself":               {rotateKey, rotate, notWritten, tookEffect},
		"a request, written late":          {"DisableKey", disable, writtenLate, ""},
		"the service itself, written late": {rotateKey, rotate, writtenLate, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, trail := startFaulty(t)
			id := s.createNamed("target")
			trail.fault.Store(&c.fault)
			if err := c.do(s, s.as(admin)); err == nil {
				t.Fatal("it was answered without its event")
			}
			if c.message != "" {
				s.expectHeld(id)
			}
			trail.fault.Store(nil)
			_, err := s.UpdateKeyDescription(s.as(admin), &kmsv1.UpdateKeyDescriptionRequest{KeyId: id, Description: new("later")})
			s.must(err)
			events := s.events()
			told, later := events[len(events)-2], events[len(events)-1]
			if told.EventName != c.event || told.ErrorMessage != c.message || later.EventName != "UpdateKeyDescription" {
				t.Errorf("the last events are %+v and %+v", told, later)
			}
			s.stop()
			if open := openIntents(t, s.dir); len(open) > 0 {
				t.Errorf("still open: %+v", open)
			}
		})
	}
}

// TestAChangeWithoutAnIntentKeepsNothing breaks the journal before the intent.
func TestAChangeWithoutAnIntentKeepsNothing(t *testing.T) {
	t.Parallel()
	s, trail := startFaulty(t)
	defer s.stop()
	id := s.createNamed("target")
	trail.intents.Store(true)
	if err := s.renewNow(s.as(admin), id); !errors.Is(err, errDiskFull) {
		t.Errorf("renewing: %v", err)
	}
	if _, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id}); err == nil {
		t.Error("disabled without an intent")
	}
	trail.intents.Store(false)
	_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id})
	s.must(err)
	s.expectOneTruth()
}

// TestWhatIsStillOpenAtTheEndIsLeftToTheNextStart stops a service whose journal
// is broken.
func TestWhatIsStillOpenAtTheEndIsLeftToTheNextStart(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	s, trail := startFaulty(t)
	id := s.createNamed("target")
	trail.fault.Store(&notWritten)
	if _, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: id}); err == nil {
		t.Error("it was answered without its event")
	}
	s.stop()
	goleak.VerifyNone(t, ignored)

	s.start()
	defer s.stop()
	if e := s.lastEvent(); e.EventName != "DisableKey" || e.ErrorMessage != tookEffect {
		t.Errorf("the last event is %+v", e)
	}
	if s.describe(*id).GetKeyState() != disabled {
		t.Error("the key is not disabled")
	}
}

// createNamed makes a key with a description and returns its id.
func (s *service) createNamed(description string) *string {
	s.t.Helper()
	res, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{Description: &description})
	s.must(err)
	return res.KeyMetadata.KeyId
}

// expectHeld expects that changes of a key have to wait.
func (s *service) expectHeld(id *string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.changes.begin(ctx, s.scope.keyPath(uuid.MustParse(*id))); !errors.Is(err, context.DeadlineExceeded) {
		s.t.Errorf("another change of the key: %v", err)
	}
}
