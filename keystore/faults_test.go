package keystore

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// brokenTrail is a trail whose journal cannot be written: a fault that a real
// one shows only with a disk to break.
type brokenTrail struct {
	Trail
	events, intents error
}

func (b *brokenTrail) RecordEvent(ctx context.Context, e *audit.APIEvent) error {
	if b.events != nil {
		return b.events
	}
	return b.Trail.RecordEvent(ctx, e)
}

func (b *brokenTrail) RecordIntent(ctx context.Context, i *audit.Intent) error {
	if b.intents != nil {
		return b.intents
	}
	return b.Trail.RecordIntent(ctx, i)
}

func TestNoAnswerWithoutItsEvent(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	s.Keystore.trail = &brokenTrail{Trail: s.trail, events: errors.New("disk full")}
	res, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	if res != nil || err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE {
		t.Errorf("got %v, %v", res, err)
	}
	if _, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{}); err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL {
		t.Errorf("a change without its event must not look as if it could be tried again: %v", err)
	}
	if _, err := s.DescribeKey(s.as(nobody), &kmsv1.DescribeKeyRequest{KeyId: key.KeyId}); AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE {
		t.Errorf("a refusal was answered without its event: %v", err)
	}
}

func TestNoChangeWithoutItsIntent(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.Keystore.trail = &brokenTrail{Trail: s.trail, intents: errors.New("disk full")}
	before := len(s.hsmLog())
	if _, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{}); err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE {
		t.Errorf("CreateKey gave %v", err)
	}
	if after := len(s.hsmLog()); after != before {
		t.Error("the HSM was asked although the intent could not be recorded")
	}
}

// TestCutOffCreateKeyIsSettled makes what a crash between the HSM's answer and
// the metadata leaves: an intent and a token object that nobody knows of.
func TestCutOffCreateKeyIsSettled(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	kept := s.createKey()
	lost := s.newKeyRecord(&kmsv1.CreateKeyRequest{})
	request := uuid.NewString()
	s.must(s.trail.RecordIntent(t.Context(), createKeyIntent(request, lost)))
	_, err := s.pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newestID(lost), Label: lost.GetArn(), Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	s.must(err)
	s.stop()
	s.start()
	defer s.stop()

	if _, err := s.pool.Seal(t.Context(), newestID(lost), []byte("x"), nil); err == nil {
		t.Error("the token object that nobody knows of is still there")
	}
	e := s.lastEvent()
	if e.EventName != "CreateKey" || e.RequestID != request || e.EventType != audit.EventTypeService || e.ErrorCode != "KMSInternalException" || e.Resources[0].ARN != lost.GetArn() {
		t.Errorf("the event that settles the request is %+v", e)
	}
	if _, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: kept.KeyId, Plaintext: []byte("x")}); err != nil {
		t.Errorf("the key made before is gone: %v", err)
	}
	events := len(s.events())
	s.stop()
	s.start()
	if again := len(s.events()); again != events {
		t.Errorf("settling once more wrote %d events", again-events)
	}
}

// TestGivenUpChangesLeaveNoIntents gives changes up before and while their
// intents are written: an intent must not come after its own event.
func TestGivenUpChangesLeaveNoIntents(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	key := s.createKey()
	for i := range 300 {
		ctx, cancel := context.WithTimeout(s.as(admin), time.Duration(i%3*200)*time.Microsecond)
		_, _ = s.UpdateKeyDescription(ctx, &kmsv1.UpdateKeyDescriptionRequest{KeyId: key.KeyId, Description: new("x")}) // either way
		cancel()
	}
	s.stop()
	s.start()
	defer s.stop()
	for _, e := range s.events() {
		if e.EventType == audit.EventTypeService {
			t.Fatalf("a change that was given up had to be settled: %+v", e)
		}
	}
}

// forgetfulHSM makes a key and does not say so in time.
type forgetfulHSM struct{ HSM }

func (h forgetfulHSM) Generate(ctx context.Context, r hsmpool.GenerateRequest) (hsmpool.Generated, error) {
	made, err := h.HSM.Generate(ctx, r)
	if err != nil {
		return made, err
	}
	return hsmpool.Generated{}, &hsmpool.Error{Class: hsmpool.Timeout, HSM: made.Trace.HSM, Object: r.ID, Err: context.DeadlineExceeded}
}

func TestKeyMaterialOfUnknownFateIsSettledAtTheNextStart(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	s.hsm = forgetfulHSM{s.pool}
	_, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{})
	if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT {
		t.Errorf("CreateKey gave %v", err)
	}
	made := s.hsmLog()[len(s.hsmLog())-1]
	if made.Function != "C_GenerateKey" {
		t.Fatalf("the HSM made no key: %+v", made)
	}
	id, err := parseObjectID(made.KeyID)
	s.must(err)
	s.stop()
	s.start()
	defer s.stop()
	if _, err := s.pool.Seal(t.Context(), id, []byte("x"), nil); err == nil {
		t.Error("the key material that nobody knows of is still there")
	}
	if e := s.lastEvent(); e.EventName != "CreateKey" || e.EventType != audit.EventTypeService {
		t.Errorf("the event that settles it is %+v", e)
	}
}

func TestStrangersAndOversizeRequestsDoNotFillTheJournal(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	long := map[string]string{"k": strings.Repeat("v", 90_000)}
	for _, principal := range []string{"", nobody, app} {
		_, err := s.Encrypt(s.as(principal), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x"), EncryptionContext: long})
		if err == nil {
			t.Errorf("%q was answered", principal)
		}
		if e := s.lastEvent(); e.RequestParameters != nil {
			t.Errorf("the event of %q shows a request outside its limits", principal)
		}
	}
}

func TestStaleMetadataIsNotAnsweredFrom(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	s.view.mu.Lock()
	s.view.broken = errors.New("cut off")
	s.view.mu.Unlock()
	_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE {
		t.Errorf("got %v", err)
	}
	if s.Health() == nil {
		t.Error("health does not say so")
	}
}

func TestIntentsOfAnotherRegionAreNotTouched(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	elsewhere := scope{account: "000000000000", region: "eu-west-1"}
	k := &Keystore{scope: elsewhere}
	record := k.newKeyRecord(&kmsv1.CreateKeyRequest{})
	s.must(s.trail.RecordIntent(t.Context(), createKeyIntent(uuid.NewString(), record)))
	s.stop()
	defer s.closeParts()
	err := s.tryStart()
	if err == nil || !strings.Contains(err.Error(), "another account or Region") {
		t.Errorf("the start gave %v", err)
	}
}

// panickyHSM fails as no code should.
type panickyHSM struct{ HSM }

func (panickyHSM) Random(context.Context, int) ([]byte, hsmpool.Trace, error) { panic("a fault") }

func TestPanicsBecomeErrorsWithEvents(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.hsm = panickyHSM{s.pool}
	_, err := s.GenerateRandom(s.as(app), &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(1))})
	if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE || strings.Contains(AsError(err).Message, "a fault") {
		t.Errorf("got %v", err)
	}
	if e := s.lastEvent(); e.EventName != "GenerateRandom" || e.ErrorCode != "InternalFailure" {
		t.Errorf("the event is %+v", e)
	}
}

func TestRequestsPastTheirDeadlineAreNotDoneButRecorded(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	ctx, cancel := context.WithDeadline(s.as(app), time.Now().Add(-time.Second))
	defer cancel()
	_, err := s.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	if err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT {
		t.Errorf("got %v", err)
	}
	if e := s.lastEvent(); e.EventName != "Encrypt" || e.ErrorCode != "DependencyTimeoutException" {
		t.Errorf("the event is %+v", e)
	}
}

func TestUnknownMethodsLeaveAnEvent(t *testing.T) {
	t.Parallel()
	s := startService(t)
	refusal := &Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION, Message: "no such operation"}
	if err := s.Reject(s.as(app), "/strongroom.kms.v1.KeyManagementService/Frobnicate", refusal); !errors.Is(err, refusal) {
		t.Errorf("Reject = %v", err)
	}
	if e := s.lastEvent(); e.EventName != "/strongroom.kms.v1.KeyManagementService/Frobnicate" || e.ErrorCode != "UnknownOperationException" {
		t.Errorf("the event is %+v", e)
	}
}

// TestSecretsAreNowhere plants a secret in every secret field that a request
// can have, in requests that succeed and in requests that fail, and looks for
// it in everything that is written.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	const planted = "PLANTED-SECRET-PLANTED-SECRET"
	var log bytes.Buffer
	s := newService(t)
	s.logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace, Mutex: new(sync.Mutex)})
	s.initToken()
	s.start()
	key := s.createKey()
	var errs []error
	keep := func(err error) { errs = append(errs, err) }

	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte(planted)})
	s.must(err)
	_, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
	s.must(err)
	dataKey, err := s.GenerateDataKey(s.as(app), &kmsv1.GenerateDataKeyRequest{KeyId: key.KeyId, NumberOfBytes: new(int32(24))})
	s.must(err)
	random, err := s.GenerateRandom(s.as(app), &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(24))})
	s.must(err)
	for _, req := range []*kmsv1.EncryptRequest{
		{KeyId: new("nonsense"), Plaintext: []byte(planted)},
		{Plaintext: []byte(planted)},
		{KeyId: key.KeyId, Plaintext: bytes.Repeat([]byte(planted), 500)},
		{KeyId: key.KeyId, Plaintext: []byte(planted), DryRun: new(true)},
		{KeyId: key.KeyId, Plaintext: []byte(planted), GrantTokens: []string{"x"}},
	} {
		_, err := s.Encrypt(s.as(app), req)
		keep(err)
	}
	s.hsm = panickyHSM{s.pool}
	_, err = s.GenerateRandom(s.as(app), &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(24))})
	keep(err)

	var written bytes.Buffer
	for rec, err := range s.trail.Events(t.Context(), audit.Query{}) {
		s.must(err)
		written.Write(rec.JSON)
	}
	for _, e := range s.hsmLog() {
		written.Write(e.AppendText(nil))
		written.Write(e.AppendJSON(nil))
	}
	for _, err := range errs {
		if err == nil {
			t.Error("a request that should fail succeeded")
			continue
		}
		written.WriteString(err.Error())
	}
	s.stop()
	written.Write(log.Bytes())
	for name, secret := range map[string][]byte{
		"plaintext": []byte(planted), "data key": dataKey.Plaintext, "random bytes": random.Plaintext, "PIN": []byte("1234567890"), "SO PIN": []byte("0987654321"),
	} {
		if found := findSecret(written.Bytes(), secret); found != "" {
			t.Errorf("the %s is written in %s", name, found)
		}
	}
}
