package keystore

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func (s *service) lastUsage(id *string) *kmsv1.GetKeyLastUsageResponse {
	s.t.Helper()
	res, err := s.GetKeyLastUsage(s.as(admin), &kmsv1.GetKeyLastUsageRequest{KeyId: id})
	s.must(err)
	return res
}

// eventID is the id of the newest event.
func (s *service) eventID() (id string) {
	s.t.Helper()
	for rec, err := range s.trail.Events(s.t.Context(), audit.Query{Last: 1}) {
		s.must(err)
		var e struct{ EventID string }
		s.must(json.Unmarshal(rec.JSON, &e))
		id = e.EventID
	}
	return id
}

const (
	usedToEncrypt   = kmsv1.KeyLastUsageTrackingOperation_KEY_LAST_USAGE_TRACKING_OPERATION_ENCRYPT
	usedToDecrypt   = kmsv1.KeyLastUsageTrackingOperation_KEY_LAST_USAGE_TRACKING_OPERATION_DECRYPT
	usedToReEncrypt = kmsv1.KeyLastUsageTrackingOperation_KEY_LAST_USAGE_TRACKING_OPERATION_RE_ENCRYPT
)

// TestTheLastUseOfAKey does operations one after the other.
func TestTheLastUseOfAKey(t *testing.T) {
	t.Parallel()
	s := startService(t)
	_, err := s.trackedSince(t.Context())
	s.must(err)
	key, other := s.createKey(), s.createKey()
	sealed, err := s.encrypt(other.GetKeyId())
	s.must(err)
	dryRun := &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x"), DryRun: new(true)}
	for _, c := range []struct {
		name string
		do   func(context.Context) error
		want kmsv1.KeyLastUsageTrackingOperation
		// noted says that this was the use.
		noted bool
	}{
		{"no use", func(ctx context.Context) error {
			_, err := s.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: key.KeyId})
			return err
		}, 0, false},
		{"a dry run", func(ctx context.Context) error { _, err := s.Encrypt(ctx, dryRun); return ignore(err) }, 0, false},
		{"Encrypt", func(ctx context.Context) error {
			_, err := s.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
			return err
		}, usedToEncrypt, true},
		{"a use of another key", func(context.Context) error { _, err := s.encrypt(other.GetKeyId()); return err }, usedToEncrypt, false},
		{"ReEncrypt", func(ctx context.Context) error {
			res, err := s.ReEncrypt(ctx, &kmsv1.ReEncryptRequest{CiphertextBlob: sealed, DestinationKeyId: key.KeyId})
			sealed = res.GetCiphertextBlob()
			return err
		}, usedToReEncrypt, true},
		{"a Decrypt that is refused", func(ctx context.Context) error {
			_, err := s.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: sealed, EncryptionContext: map[string]string{"a": "b"}})
			return ignore(err)
		}, usedToReEncrypt, false},
		{"Decrypt", func(ctx context.Context) error {
			_, err := s.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: sealed})
			return err
		}, usedToDecrypt, true},
	} {
		before, began := s.lastUsage(key.KeyId).GetKeyLastUsage(), time.Now()
		s.must(c.do(s.as(admin)))
		id := s.eventID()
		res := s.lastUsage(key.KeyId)
		got := res.GetKeyLastUsage()
		if got.GetOperation() != c.want || (got.GetCloudTrailEventId() == id) != c.noted {
			t.Errorf("%s: the last use is %v", c.name, got)
		}
		if now := got.GetTimestamp().AsTime(); c.noted && (now.Before(began) || now.After(time.Now())) {
			t.Errorf("%s, begun at %v, is noted with %v", c.name, began, now)
		}
		if !c.noted && got.GetCloudTrailEventId() != before.GetCloudTrailEventId() {
			t.Errorf("%s is noted: %v", c.name, got)
		}
		if res.GetKeyId() != key.GetArn() || !res.GetKeyCreationDate().AsTime().Equal(key.GetCreationDate().AsTime()) ||
			!res.GetTrackingStartDate().AsTime().Equal(key.GetCreationDate().AsTime()) {
			t.Errorf("%s: %v", c.name, res)
		}
	}
	if got := s.lastUsage(other.KeyId).GetKeyLastUsage(); got.GetOperation() != usedToReEncrypt {
		t.Errorf("the last use of the key that ReEncrypt decrypted with is %v", got)
	}
}

// ignore ignores a refusal.
func ignore(err error) error {
	if err == nil {
		return errors.New("it was not refused")
	}
	return nil
}

// countingStore counts the changes that are made with it.
type countingStore struct {
	metadata.Store
	commits *atomic.Int64
}

func (c countingStore) Commit(ctx context.Context, t metadata.Txn) (uint64, error) {
	c.commits.Add(1)
	return c.Store.Commit(ctx, t)
}

func TestUsesAreWrittenLaterAndTogether(t *testing.T) {
	t.Parallel()
	s, commits := newService(t), new(atomic.Int64)
	s.initToken()
	s.startWith(func(c *Config) { c.Metadata = countingStore{c.Metadata, commits} })
	defer func() { s.stop() }()
	var ids []*string
	for range 5 {
		id := s.createKey().KeyId
		_, err := s.encrypt(*id) // reserves invocations
		s.must(err)
		ids = append(ids, id)
	}
	_, err := s.trackedSince(t.Context())
	s.must(err)
	before := commits.Load()
	for _, id := range ids {
		_, err := s.encrypt(*id)
		s.must(err)
	}
	if n := commits.Load() - before; n != 0 {
		t.Errorf("5 uses made %d changes of the metadata", n)
	}
	want := s.lastUsage(ids[3]).GetKeyLastUsage()
	s.must(s.usage.write(t.Context()))
	s.must(s.usage.write(t.Context()))
	if n := commits.Load() - before; n != 1 {
		t.Errorf("5 uses were written in %d changes of the metadata", n)
	}
	for _, when := range []string{"written", "after a restart"} {
		if got := s.lastUsage(ids[3]).GetKeyLastUsage(); got.GetCloudTrailEventId() != want.GetCloudTrailEventId() || !got.GetTimestamp().AsTime().Equal(want.GetTimestamp().AsTime()) {
			t.Errorf("%s: the last use is %v, want %v", when, got, want)
		}
		s.stop()
		s.start()
	}
}

// kill stops the service as a crash does: nothing is written any more.
func (s *service) kill() {
	s.Keystore.stop()
	s.work.Wait()
	s.closeParts()
}

func TestUsesThatWereNotWrittenBeforeACrashAreReadAgain(t *testing.T) {
	t.Parallel()
	s := startService(t)
	used, early, idle := s.createKey(), s.createKey(), s.createKey()
	for _, k := range []*kmsv1.KeyMetadata{used, early} {
		_, err := s.encrypt(k.GetKeyId())
		s.must(err)
	}
	s.must(s.usage.write(t.Context()))
	sealed, err := s.encrypt(used.GetKeyId())
	s.must(err)
	_, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed})
	s.must(err)
	id, before := s.eventID(), s.lastUsage(early.KeyId).GetKeyLastUsage()
	s.kill()
	s.start()
	s.must(s.startTracking(t.Context()))
	if got := s.lastUsage(used.KeyId).GetKeyLastUsage(); got.GetCloudTrailEventId() != id || got.GetOperation() != usedToDecrypt {
		t.Errorf("the last use is %v, want that of the event %s", got, id)
	}
	if got := s.lastUsage(early.KeyId).GetKeyLastUsage(); !got.GetTimestamp().AsTime().Equal(before.GetTimestamp().AsTime()) {
		t.Errorf("the use that was written is %v, want %v", got, before)
	}
	if got := s.lastUsage(idle.KeyId).GetKeyLastUsage(); got != nil {
		t.Errorf("the key that was not used was %v", got)
	}
}

func TestADeletedKeyLeavesNoUse(t *testing.T) {
	t.Parallel()
	s, c := startClocked(t)
	id := s.createKey().KeyId
	_, err := s.encrypt(*id)
	s.must(err)
	s.must(s.usage.write(t.Context()))
	late := use{usedToEncrypt, time.Now(), "event", "request"}
	s.schedule(id)
	c.advance(pastTheWindow)
	s.poke()
	s.awaitGone(*id)
	s.usage.note(uuid.MustParse(*id), late)
	s.must(s.usage.write(t.Context()))
	if r, err := s.usage.written(t.Context(), uuid.MustParse(*id)); err != nil || r != nil {
		t.Errorf("the last use of the deleted key: %v, %v", r, err)
	}
}

func TestAKeyIsOlderThanTheTracking(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	s.kill()
	s.openParts()
	_, err := s.store.Commit(t.Context(), metadata.Txn{Deletes: []string{s.scope.trackingPath()}})
	s.must(err)
	s.closeParts()
	s.start()
	if got := s.lastUsage(key.KeyId); !got.GetTrackingStartDate().AsTime().After(key.GetCreationDate().AsTime()) {
		t.Errorf("the uses of a key made on %v are known since %v", key.GetCreationDate().AsTime(), got.GetTrackingStartDate().AsTime())
	}
}

// TestLastUsageRefusals is the table of what GetKeyLastUsage refuses, and that it
// does not refuse in any state.
func TestLastUsageRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, unknown := s.createKey(), "12345678-1234-1234-1234-123456789012"
	ask := func(id string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.GetKeyLastUsage(ctx, &kmsv1.GetKeyLastUsageRequest{KeyId: &id})
			return err
		}
	}
	s.checkRefusals(t, []refusal{
		{"anybody", nobody, ask(key.GetKeyId()), "ACCESS_DENIED", "kms:GetKeyLastUsage on resource: " + key.GetArn()},
		{"an unknown key", admin, ask(unknown), "NOT_FOUND", unknown},
		{"an alias", admin, ask("alias/a"), "NOT_FOUND", "Invalid keyId 'alias/a'"},
		{"a malformed ARN", admin, ask("arn:aws:kms"), "INVALID_ARN", "Invalid arn arn:aws:kms"},
		{"no key", admin, ask(""), "VALIDATION", "at 'keyId'"},
	})
	_, err := s.encrypt(key.GetKeyId())
	s.must(err)
	_, err = s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: key.KeyId})
	s.must(err)
	disabled := s.lastUsage(key.KeyId).GetKeyLastUsage()
	s.schedule(key.KeyId)
	if doomed := s.lastUsage(key.KeyId).GetKeyLastUsage(); disabled.GetOperation() != usedToEncrypt || doomed.GetOperation() != usedToEncrypt {
		t.Errorf("the last use of the disabled key is %v, and of the one to be deleted %v", disabled, doomed)
	}
}

// TestEveryCryptographicOperationIsTracked compares with the methods of the API.
func TestEveryCryptographicOperationIsTracked(t *testing.T) {
	t.Parallel()
	s := startService(t)
	tracked := trackedOperations()
	for _, m := range s.Describe().Services()[0].Methods {
		_, found := tracked[m.Name]
		delete(tracked, m.Name)
		crypto := m.ReadOnly && !strings.HasPrefix(m.Name, "Get") && !strings.HasPrefix(m.Name, "List") && !strings.HasPrefix(m.Name, "Describe") && m.Name != "GenerateRandom"
		if found != crypto {
			t.Errorf("%s is tracked: %t", m.Name, found)
		}
	}
	if len(tracked) > 0 {
		t.Errorf("no methods: %v", tracked)
	}
}
