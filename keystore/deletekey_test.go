package keystore

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// clock is a clock that tests set.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

const pastTheWindow = 8 * 24 * time.Hour

// startClocked starts a service whose clock the test sets.
func startClocked(t *testing.T) (*service, *clock) {
	t.Helper()
	c := new(clock)
	s := newService(t)
	s.now = c.now
	s.initToken()
	s.start()
	t.Cleanup(s.stop)
	return s, c
}

func (s *service) schedule(id *string) {
	s.t.Helper()
	_, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: new(int32(7))})
	s.must(err)
}

// awaitEvent returns the newest event of a name, as soon as there are n.
func (s *service) awaitEvent(name string, n int) event {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for rec, err := range s.trail.Events(ctx, audit.Query{Follow: true}) {
		s.must(err)
		e := s.decodeEvent(rec)
		if e.EventName != name {
			continue
		}
		if n--; n == 0 {
			return e
		}
	}
	s.t.Fatalf("there are %d events of %s too few", n, name)
	return event{}
}

// awaitGone waits until the view does not show a key.
func (s *service) awaitGone(id string) {
	s.t.Helper()
	r, err := s.scope.parseReference(id)
	s.must(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for {
		s.view.mu.RLock()
		key, changed := s.view.keys.values[r.key], s.view.changed
		s.view.mu.RUnlock()
		if key == nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			s.t.Fatalf("key %s is still there", id)
		}
	}
}

// poke makes a change, so that deletions that are due are noticed at once.
func (s *service) poke() { s.createKey() }

func TestADueKeyIsDeletedWithItsMaterialAliasesAndCounts(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	doomed, kept := s.createKey(), s.createKey()
	s.must(s.createAlias("alias/doomed", doomed.KeyId))
	s.must(s.createAlias("alias/kept", kept.KeyId))
	sealed, err := s.encrypt(doomed.GetKeyId())
	s.must(err)
	id := s.view.alias("alias/doomed").target
	material := s.view.get(id).current()
	s.schedule(doomed.KeyId)
	c.advance(pastTheWindow)
	s.poke()

	e := s.awaitEvent(deleteKey, 1)
	if e.ErrorCode != "" || e.EventType != audit.EventTypeService || e.ReadOnly || e.UserIdentity.InvokedBy != "AWS Internal" || e.Resources[0].ARN != doomed.GetArn() {
		t.Errorf("the event is %+v", e)
	}
	status := `[{"backingKeyId":"` + material.String() + `","deletionStatus":"SUCCESS"}]`
	if e.AdditionalEventData["backingKeysDeletionStatus"] != status || e.AdditionalEventData["backingKeys"] != `[{"backingKeyId":"`+material.String()+`"}]` {
		t.Errorf("the event's additional data are %v", e.AdditionalEventData)
	}
	if _, err := s.DescribeKey(s.as(app), &kmsv1.DescribeKeyRequest{KeyId: doomed.KeyId}); err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND {
		t.Errorf("describing the deleted key: %v", err)
	}
	if _, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed}); err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED {
		t.Errorf("decrypting what the deleted key encrypted: %v", err)
	}
	if got := s.aliases(nil, 10); len(got) != 1 || got[0] != "alias/kept" {
		t.Errorf("the aliases are %v", got)
	}
	if _, err := s.store.Get(t.Context(), s.scope.invocations(material.String())); !errors.Is(err, metadata.ErrNotFound) {
		t.Errorf("the count of the deleted material: %v", err)
	}
	if _, err := s.pool.Seal(t.Context(), material, []byte("x"), nil); err == nil {
		t.Error("the material is still in the token")
	}
	destroyed := s.hsmLog()[len(s.hsmLog())-1]
	if destroyed.Function != "C_DestroyObject" || destroyed.KeyID != material.String() || destroyed.RequestID != e.RequestID {
		t.Errorf("the HSM log ends in %+v", destroyed)
	}
}

func TestADeletionThatFellDueWhileTheServiceWasDownIsMadeUp(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	doomed := s.createKey()
	s.schedule(doomed.KeyId)
	s.stop()
	c.advance(pastTheWindow)
	s.start()
	if e := s.awaitEvent(deleteKey, 1); e.ErrorCode != "" {
		t.Errorf("the event is %+v", e)
	}
	s.awaitGone(doomed.GetKeyId())
}

func TestNothingIsDeletedBeforeItsTime(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	doomed, cancelled := s.createKey(), s.createKey()
	s.schedule(doomed.KeyId)
	s.schedule(cancelled.KeyId)
	_, err := s.CancelKeyDeletion(s.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: cancelled.KeyId})
	s.must(err)
	c.advance(7*24*time.Hour - time.Minute)
	s.poke()
	if s.describe(doomed.GetKeyId()).GetKeyState() != pendingDeletion {
		t.Error("a key was deleted too early")
	}
	c.advance(2 * time.Minute)
	s.poke()
	s.awaitGone(doomed.GetKeyId())
	if s.describe(cancelled.GetKeyId()).GetKeyState() != disabled {
		t.Error("a key whose deletion was cancelled is not disabled")
	}
}

// stubbornHSM does not destroy keys.
type stubbornHSM struct{ HSM }

func (h stubbornHSM) Destroy(_ context.Context, id hsmpool.ObjectID) (hsmpool.Trace, error) {
	return hsmpool.Trace{}, &hsmpool.Error{Class: hsmpool.Unavailable, HSM: "hsm-1", Object: id, Function: "C_DestroyObject", Err: errors.New("it hangs")}
}

func TestADeletionThatFailedIsTriedAgainAndCannotBeCancelled(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	doomed := s.createKey()
	s.schedule(doomed.KeyId)
	s.stop()
	c.advance(pastTheWindow)
	s.startWith(func(c *Config) { c.HSM = stubbornHSM{s.pool} })
	e := s.awaitEvent(deleteKey, 1)
	if e.ErrorCode != "KMSInternalException" || !strings.Contains(e.ErrorMessage, "1 of 1 backing keys of "+doomed.GetArn()+" could not be destroyed") ||
		!strings.Contains(e.AdditionalEventData["backingKeysDeletionStatus"].(string), "FAILURE") {
		t.Errorf("the event is %+v", e)
	}
	_, err := s.CancelKeyDeletion(s.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: doomed.KeyId})
	if err == nil || !strings.Contains(AsError(err).Message, "is being deleted, which cannot be cancelled any more.") {
		t.Errorf("cancelling a deletion that has begun: %v", err)
	}
	if s.describe(doomed.GetKeyId()).GetKeyState() != pendingDeletion {
		t.Error("the key that could not be deleted is not pending deletion any more")
	}
	s.stop()
	s.start()
	if e := s.awaitEvent(deleteKey, 2); e.ErrorCode != "" {
		t.Errorf("the second try left %+v", e)
	}
}

func TestMaterialThatWasNotThereIsNotSaidToBeDestroyed(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	doomed := s.createKey()
	_, err := s.pool.Destroy(t.Context(), s.materialOf(doomed))
	s.must(err)
	s.schedule(doomed.KeyId)
	c.advance(pastTheWindow)
	s.poke()
	e := s.awaitEvent(deleteKey, 1)
	if status, _ := e.AdditionalEventData["backingKeysDeletionStatus"].(string); !strings.Contains(status, "FAILURE") {
		t.Errorf("the event is %+v", e)
	}
	s.awaitGone(doomed.GetKeyId())
}

func TestAKeyThatIsNotUsedGetsNoNewMaterial(t *testing.T) {
	t.Parallel()
	s := startService(t)
	off, doomed := s.createKey(), s.createKey()
	_, err := s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: off.KeyId})
	s.must(err)
	s.schedule(doomed.KeyId)
	for _, k := range []*kmsv1.KeyMetadata{off, doomed} {
		material := s.materialOf(k)
		s.must(s.renewNow(t.Context(), k.KeyId))
		if s.materialOf(k) != material {
			t.Errorf("%v got new material", k)
		}
	}
}

func TestRecordsThatContradictThemselvesAreRefused(t *testing.T) {
	t.Parallel()
	sc := scope{account: "000000000000", region: "us-east-1"}
	k := &Keystore{scope: sc}
	for name, spoil := range map[string]func(*storagev1.KeyRecord){
		"pending deletion without a date": func(r *storagev1.KeyRecord) { r.State = pendingDeletion.Enum() },
		"a date without pending deletion": func(r *storagev1.KeyRecord) { r.DeletionDate = timestamppb.Now() },
	} {
		r := k.newKeyRecord(new(kmsv1.CreateKeyRequest))
		spoil(r)
		if _, err := newKey(sc, r, 1); err == nil || !strings.Contains(err.Error(), "deletion date") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
