package keystore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// expectAccessKey expects an access key to be as it is.
func (s *service) expectAccessKey(id string, want AccessKey) {
	s.t.Helper()
	if got, err := s.regions.AccessKey(s.t.Context(), id); err != nil || got.Secret != want.Secret || got.SessionToken != want.SessionToken || got.Principal != want.Principal {
		s.t.Errorf("the access key %s is %v, %v; want %v", id, got, err, want)
	}
}

func (s *service) expectUnknownAccessKey(id string) {
	s.t.Helper()
	if got, err := s.regions.AccessKey(s.t.Context(), id); !errors.Is(err, ErrUnknownAccessKey) || got != (AccessKey{}) {
		s.t.Errorf("the access key %s is %v, %v; want none", id, got, err)
	}
}

// listAccessKeys lists the access keys of a principal, or all of them, as id and
// principal.
func (s *service) listAccessKeys(principal string) (all []string) {
	s.t.Helper()
	req := new(operatorv1.ListAccessKeysRequest)
	if principal != "" {
		req.Principal = &principal
	}
	res, err := s.Operator().ListAccessKeys(s.as(admin), req)
	s.must(err)
	for _, a := range res.GetAccessKeys() {
		if a.GetCreated().AsTime().IsZero() {
			s.t.Errorf("the access key %s was made at no time", a.GetAccessKeyId())
		}
		all = append(all, a.GetAccessKeyId()+" of "+a.GetPrincipal())
	}
	return all
}

// objects counts the keys of the token.
func (s *service) objects() int {
	s.t.Helper()
	objects, err := s.pool.Objects(s.t.Context())
	s.must(err)
	return len(objects)
}

func TestAnAccessKeyIsInForceWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.putPrincipal(bob, nil, "user")
	id, secret := s.addAccessKey(app)
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(id) || !regexp.MustCompile(`^[A-Za-z0-9+/]{40}$`).MatchString(secret) {
		t.Errorf("an access key %s with a secret of %d characters", id, len(secret))
	}
	s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app})
	other, otherSecret := s.addAccessKey(bob)
	s.expectAccessKey(other, AccessKey{Secret: otherSecret, Principal: bob})
	if id == other || secret == otherSecret {
		t.Error("two access keys are the same")
	}
	if all, bobs := s.listAccessKeys(""), s.listAccessKeys(bob); len(all) != 2 || all[0] >= all[1] || len(bobs) != 1 || bobs[0] != other+" of "+bob {
		t.Errorf("listed %v, of bob %v", all, bobs)
	}
	s.must(s.deleteAccessKey(s.as(admin), id))
	s.expectUnknownAccessKey(id)
	s.expectAccessKey(other, AccessKey{Secret: otherSecret, Principal: bob})
	s.expectOneTruth()
}

// With the first access key its sealing key is made, and with the last one it is
// destroyed.
func TestTheSealingKeyLivesAsLongAsItSeals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for range 2 {
		first, _ := s.addAccessKey(app)
		second, secret := s.addAccessKey(app)
		if n := s.objects(); n != 1 {
			t.Errorf("the token has %d keys, want the sealing key alone", n)
		}
		s.must(s.deleteAccessKey(s.as(admin), first))
		s.expectAccessKey(second, AccessKey{Secret: secret, Principal: app})
		s.expectOneTruth()
		s.must(s.deleteAccessKey(s.as(admin), second))
		if n := s.objects(); n != 0 {
			t.Errorf("the token still has %d keys", n)
		}
	}
	if entries, _, err := s.store.Range(t.Context(), s.scope.sealingKeyPath()); err != nil || len(entries) != 0 {
		t.Errorf("the metadata has %v, %v", entries, err)
	}
}

func TestRefusedChangesOfAccessKeys(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.putPrincipal(bob, nil, "user")
	id, _ := s.addAccessKey(bob)
	s.addAccessKey(app)
	s.addAccessKey(app)
	create := func(caller, principal string) func() error {
		return func() error {
			_, err := s.Operator().CreateAccessKey(s.as(caller), &operatorv1.CreateAccessKeyRequest{Principal: &principal})
			return err
		}
	}
	for name, test := range map[string]struct {
		do    func() error
		kind  Kind
		words string
	}{
		"third": {create(admin, app), annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED,
			"The principal " + app + " has 2 access keys already, and may not have more; delete one first."},
		"of nobody":  {create(admin, carol), annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "there is no principal " + carol},
		"by another": {create(app, app), denied, "User: " + app + " is not authorized to perform: strongroom:CreateAccessKey"},
		"deleting none": {func() error { return s.deleteAccessKey(s.as(admin), "AKIAAAAAAAAAAAAAAAAA") }, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"there is no access key AKIAAAAAAAAAAAAAAAAA"},
		"deleting by another": {func() error { return s.deleteAccessKey(s.as(app), id) }, denied, "strongroom:DeleteAccessKey"},
		"deleting a principal that has one": {func() error {
			_, err := s.Operator().DeletePrincipal(s.as(admin), &operatorv1.DeletePrincipalRequest{Arn: new(bob)})
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, bob + " has the access key " + id + "; delete its access keys first"},
		"listing by another": {func() error {
			_, err := s.Operator().ListAccessKeys(s.as(app), new(operatorv1.ListAccessKeysRequest))
			return err
		}, denied, "strongroom:ListAccessKeys"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.listAccessKeys("")
			expectKind(t, test.do(), test.kind, test.words)
			if after := s.listAccessKeys(""); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("there were %v and are %v", before, after)
			}
		})
	}
}

// openingHSM counts what it decrypts, and fails as told.
type openingHSM struct {
	HSM
	opened atomic.Int32
	fails  atomic.Pointer[hsmpool.Error]
}

func (h *openingHSM) Open(ctx context.Context, id hsmpool.ObjectID, iv, ciphertext, aad []byte) (hsmpool.Opened, error) {
	h.opened.Add(1)
	if e := h.fails.Load(); e != nil {
		return hsmpool.Opened{}, e
	}
	return h.HSM.Open(ctx, id, iv, ciphertext, aad)
}

// restartOn starts a service again with an HSM in front of its own.
func (s *service) restartOn(h *openingHSM) {
	s.t.Helper()
	s.stop()
	s.startWith(func(c *Config) { h.HSM, c.HSM = c.HSM, h })
}

func TestASecretIsDecryptedOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	s, h := startService(t), new(openingHSM)
	id, secret := s.addAccessKey(app)
	idle, _ := s.addAccessKey(app)
	s.restartOn(h)
	if n := h.opened.Load(); n != 0 {
		t.Errorf("the start decrypted %d secrets", n)
	}
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() { s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app}) })
	}
	work.Wait()
	s.must(s.deleteAccessKey(s.as(admin), idle)) // another revision
	s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app})
	if n := h.opened.Load(); n != 1 {
		t.Errorf("%d secrets were decrypted, want 1", n)
	}
}

// An HSM that does not answer makes no access key unknown, and nobody waits longer
// than the request lives.
func TestAnAccessKeyThatCannotBeHadNowIsNotUnknown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		class hsmpool.Class
		kind  Kind
		words string
	}{
		"away":    {hsmpool.Unavailable, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The HSM is not available."},
		"slow":    {hsmpool.Timeout, annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT, "The HSM did not answer in time."},
		"busy":    {hsmpool.Busy, annotationsv1.ErrorKind_ERROR_KIND_THROTTLING, "The HSM has as many requests as it takes at the same time. Try again later."},
		"forgery": {hsmpool.Caller, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "cannot be decrypted."},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := startService(t), new(openingHSM)
			id, secret := s.addAccessKey(app)
			s.restartOn(h)
			h.fails.Store(&hsmpool.Error{Class: test.class, Err: errors.New("as the test wants")})
			_, err := s.regions.AccessKey(t.Context(), id)
			expectKind(t, err, test.kind, test.words)
			h.fails.Store(nil)
			s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app})
		})
	}
}

func TestWhoWaitsForASecretWaitsNoLongerThanItsRequest(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id, _ := s.addAccessKey(app)
	s.directory.accessKeys.Load().stored[id].turn <- struct{}{} // another request that gets no answer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.regions.AccessKey(ctx, id)
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ABORTED, "cancelled")
}

// A request without a deadline waits no longer than for an operation.
func TestNobodyWaitsForEverForASecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &storedAccessKey{turn: make(chan struct{}, 1)}
		a.turn <- struct{}{} // another request that gets no answer
		_, err := a.open(t.Context(), nil)
		expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT, "The HSM did not answer in time.")
	})
}

// On another token the secrets are lost, which is said, and once; all access keys
// can be replaced.
func TestOnAnotherTokenAccessKeysAreReplaced(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var log bytes.Buffer
	s.logger = hclog.New(&hclog.LoggerOptions{Output: &log})
	s.initToken()
	s.start()
	id, _ := s.addAccessKey(app)
	sealing := s.directory.snapshot().accessKeys[id].sealing
	_, err := s.pool.Destroy(t.Context(), sealing)
	s.must(err)
	s.stop()
	s.start()
	for range 3 {
		_, err = s.regions.AccessKey(t.Context(), id)
		expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The secret of the access key "+id+" cannot be decrypted.")
	}
	if list := s.orphanList(); len(list.GetMetadataOrphans()) != 1 || list.GetMetadataOrphans()[0].GetKeyArn() != s.scope.sealingKeyARN() {
		t.Errorf("the orphans are %v", list)
	}
	_, err = s.Operator().CreateAccessKey(s.as(admin), &operatorv1.CreateAccessKeyRequest{Principal: new(app)})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The HSM does not have its key material")
	s.must(s.deleteAccessKey(s.as(admin), id))
	again, secret := s.addAccessKey(app)
	s.expectAccessKey(again, AccessKey{Secret: secret, Principal: app})
	s.expectOneTruth()
	s.stop()
	if n := strings.Count(log.String(), "the secret of an access key cannot be decrypted"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}

// TestAnAccessKeyWithoutItsPrincipalIsUnknown takes a principal out of the
// configuration.
func TestAnAccessKeyWithoutItsPrincipalIsUnknown(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var log bytes.Buffer
	s.initToken()
	s.start()
	id, _ := s.addAccessKey(app)
	s.stop()
	s.startWith(func(c *Config) {
		delete(c.Principals, app)
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log})
	})
	defer s.stop()
	s.expectUnknownAccessKey(id)
	if all := s.listAccessKeys(""); len(all) != 1 {
		t.Errorf("listed %v", all)
	}
	s.must(s.deleteAccessKey(s.as(admin), id))
	if want := "the access key " + id + " is not in force: its principal " + app + " is not there"; !strings.Contains(log.String(), want) {
		t.Errorf("the log is without %q:\n%s", want, &log)
	}
}

func TestAccessKeysOfTheConfiguration(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	fixed := AccessKey{Secret: "test", SessionToken: "token", Principal: app}
	s.startWith(func(c *Config) { c.AccessKeys = map[string]AccessKey{"test": fixed} })
	defer s.stop()
	s.expectAccessKey("test", fixed)
	s.expectUnknownAccessKey("TEST")
	id, secret := s.addAccessKey(app)
	s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app})
	if all := s.listAccessKeys(""); len(all) != 1 {
		t.Errorf("listed %v, want what is stored", all)
	}
	for want, a := range map[string]map[string]AccessKey{
		`access key "test": there is no principal "` + bob + `"`:                       {"test": {Secret: "test", Principal: bob}},
		`access key "test" of ` + app + `: neither its id nor its secret may be empty`: {"test": {Principal: app}},
		`access key "" of ` + app + `: neither its id nor its secret may be empty`:     {"": {Secret: "test", Principal: app}},
	} {
		if _, err := newDirectory(testScope, Config{Principals: map[string][]string{app: {"user"}}, AccessKeys: a}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAPrintedAccessKeyIsWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	a := AccessKey{Secret: "swordfish", SessionToken: "swordfish", Principal: app}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, map[string]AccessKey{"id": a}); strings.Contains(text, "swordfish") || !strings.Contains(text, app) {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

// TestSecretsOfAccessKeysAreWrittenNowhere looks at everything that a service has
// written.
func TestSecretsOfAccessKeysAreWrittenNowhere(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var log bytes.Buffer
	s.logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
	s.initToken()
	s.start()
	id, secret := s.addAccessKey(app)
	s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app})
	s.must(s.deleteAccessKey(s.as(admin), id))
	_, kept := s.addAccessKey(app)
	s.stop()
	files := map[string][]byte{"the log": log.Bytes()}
	s.must(filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files[path], err = os.ReadFile(path)
		}
		return err
	}))
	found := false
	for name, content := range files {
		found = found || bytes.Contains(content, []byte(id))
		for _, planted := range []string{secret, kept} {
			if form := findSecret(content, []byte(planted)); form != "" {
				t.Errorf("%s has a secret in %s", name, form)
			}
		}
	}
	if !found {
		t.Error("not even the id is written")
	}
}

func TestTheEventsOfAccessKeysNameThem(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id, secret := s.addAccessKey(app)
	e := s.lastEvent()
	made, _ := e.ResponseElements["accessKey"].(map[string]any)
	sealing := s.directory.snapshot().accessKeys[id].sealing.String()
	if e.EventName != "CreateAccessKey" || e.RequestParameters["principal"] != app || made["accessKeyId"] != id || e.AdditionalEventData["backingKeyId"] != sealing || e.ReadOnly {
		t.Errorf("the event is %+v", e)
	}
	if text, err := json.Marshal(e); err != nil || findSecret(text, []byte(secret)) != "" {
		t.Errorf("the event has the secret: %s, %v", text, err)
	}
	s.must(s.deleteAccessKey(s.as(admin), id))
	if e := s.lastEvent(); e.EventName != "DeleteAccessKey" || e.RequestParameters["accessKeyId"] != id || e.AdditionalEventData["backingKeyId"] != sealing {
		t.Errorf("the event is %+v", e)
	}
	for _, event := range []string{"CreateAccessKey", "DeleteAccessKey"} {
		e := s.awaitEvent(event, 1)
		entries := s.hsmLogOf(e.RequestID)
		if len(entries) == 0 {
			t.Errorf("the HSM log has nothing of %s", event)
		}
	}
}

// hsmLogOf are the entries of the HSM log that belong to a request.
func (s *service) hsmLogOf(request string) (of []audit.HSMEntry) {
	s.t.Helper()
	for _, e := range s.hsmLog() {
		if e.RequestID == request {
			of = append(of, e)
		}
	}
	return of
}

// accessKeyFault is a metadata store in which access keys are stored by a fault.
type accessKeyFault struct {
	metadata.Store
	fault storeFault
}

func (f accessKeyFault) Commit(ctx context.Context, t metadata.Txn) (revision uint64, err error) {
	commit := func() error {
		revision, err = f.Store.Commit(ctx, t)
		return err
	}
	if len(t.Puts) > 0 && strings.HasPrefix(t.Puts[0].Key, testScope.accessKeyPath("")) {
		return revision, f.fault(commit)
	}
	return revision, commit()
}

// TestAccessKeysThatAreNotStored is what is left when the metadata fails: a sealing
// key only where the access key may be there.
func TestAccessKeysThatAreNotStored(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault storeFault
		left  int
	}{
		"conflict":               {func(func() error) error { return metadata.ErrConflict }, 0},
		"unavailable":            {func(func() error) error { return metadata.ErrUnavailable }, 0},
		"unavailable-afterwards": {func(commit func() error) error { return errors.Join(commit(), metadata.ErrUnavailable) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.initToken()
			s.startWith(func(c *Config) { c.Metadata = accessKeyFault{c.Metadata, test.fault} })
			_, err := s.Operator().CreateAccessKey(s.as(admin), &operatorv1.CreateAccessKeyRequest{Principal: new(app)})
			expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The access key could not be stored.")
			s.stop()
			s.start()
			defer s.stop()
			if n := len(s.listAccessKeys("")); n != test.left || s.objects() != test.left {
				t.Errorf("there are %d access keys and %d keys in the token, want %d", n, s.objects(), test.left)
			}
			id, secret := s.addAccessKey(app)
			s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app})
			s.expectOneTruth()
		})
	}
}

// A request whose sealing key may have come to be, and has since, is settled late:
// what later requests seal with is left alone.
func TestASealingKeyInUseOutlivesTheRequestThatMadeIt(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id, secret := s.addAccessKey(app)
	i := &audit.Intent{
		RequestID: uuid.NewString(), EventName: "CreateAccessKey", RequestedBy: admin,
		ResourceARN: s.scope.accessKeyARN("AKIAAAAAAAAAAAAAAAAA"), BackingKeyID: s.directory.snapshot().accessKeys[id].sealing.String(),
	}
	s.must(s.trail.RecordIntent(t.Context(), i))
	s.must(s.settleOne(t.Context(), i))
	s.stop()
	s.start()
	s.expectAccessKey(id, AccessKey{Secret: secret, Principal: app})
}

func TestAccessKeysOfAnotherAccountAreNotSettled(t *testing.T) {
	t.Parallel()
	s := startService(t)
	i := &audit.Intent{RequestID: uuid.NewString(), EventName: "CreateAccessKey", ResourceARN: "arn:aws:iam::111122223333:access-key/AKIAAAAAAAAAAAAAAAAA"}
	if err := s.settleOne(t.Context(), i); err == nil || !strings.Contains(err.Error(), "another account") {
		t.Errorf("settled with %v", err)
	}
}
