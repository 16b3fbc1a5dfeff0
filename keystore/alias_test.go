package keystore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func (s *service) createAlias(name string, key *string) error {
	_, err := s.CreateAlias(s.as(admin), &kmsv1.CreateAliasRequest{AliasName: &name, TargetKeyId: key})
	return err
}

// aliases lists the names of all aliases, a few at a time.
func (s *service) aliases(of *string, limit int32) (names []string) {
	s.t.Helper()
	req := &kmsv1.ListAliasesRequest{KeyId: of, Limit: &limit}
	for {
		res, err := s.ListAliases(s.as(app), req)
		s.must(err)
		for _, a := range res.Aliases {
			names = append(names, a.GetAliasName())
		}
		if !res.GetTruncated() {
			return names
		}
		req.Marker = res.NextMarker
	}
}

func TestAnAliasNamesItsKey(t *testing.T) {
	t.Parallel()
	s := startService(t)
	first, second := s.createKey(), s.createKey()
	s.must(s.createAlias("alias/payroll/2027", first.KeyId))
	arn := "arn:aws:kms:us-east-1:000000000000:alias/payroll/2027"
	s.expectAliasEvent("CreateAlias", first.GetArn(), arn, first.GetArn())
	for _, ref := range []string{"alias/payroll/2027", arn} {
		if got := s.describe(ref); got.GetArn() != first.GetArn() {
			t.Errorf("%s names %s", ref, got.GetArn())
		}
		sealed, err := s.encrypt(ref)
		s.must(err)
		if res, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed, KeyId: &ref}); err != nil || res.GetKeyId() != first.GetArn() {
			t.Errorf("decrypting by %s: %v, %v", ref, res.GetKeyId(), err)
		}
	}
	if e := s.lastEvent(); e.RequestParameters["keyId"] != arn || len(e.Resources) != 1 || e.Resources[0].ARN != first.GetArn() {
		t.Errorf("the event of a request by alias is %+v", e)
	}

	_, err := s.UpdateAlias(s.as(admin), &kmsv1.UpdateAliasRequest{AliasName: new("alias/payroll/2027"), TargetKeyId: second.Arn})
	s.must(err)
	s.expectAliasEvent("UpdateAlias", second.GetArn(), arn, first.GetArn(), second.GetArn())
	if got := s.describe(arn); got.GetArn() != second.GetArn() {
		t.Errorf("after its update the alias names %s", got.GetArn())
	}
	if of := s.aliases(first.KeyId, 10); len(of) != 0 {
		t.Errorf("the first key still has %v", of)
	}

	_, err = s.DeleteAlias(s.as(admin), &kmsv1.DeleteAliasRequest{AliasName: new("alias/payroll/2027")})
	s.must(err)
	s.expectAliasEvent("DeleteAlias", second.GetArn(), arn, second.GetArn())
	if _, err := s.encrypt(arn); err == nil {
		t.Error("a deleted alias names a key")
	}
}

// expectAliasEvent expects that the newest event shows the key that the alias
// names or named, and these resources.
func (s *service) expectAliasEvent(name, key string, resources ...string) {
	s.t.Helper()
	e := s.lastEvent()
	var named []string
	for _, r := range e.Resources {
		named = append(named, r.ARN)
	}
	if e.EventName != name || e.ResponseElements["keyId"] != key || !slices.Equal(named, resources) {
		s.t.Errorf("the event is %+v, want %s of %s with the resources %v", e, name, key, resources)
	}
}

func TestAliasesAreListedByName(t *testing.T) {
	t.Parallel()
	s := startService(t)
	one, two := s.createKey(), s.createKey()
	var all, ofOne []string
	for i := range 7 {
		name, key := fmt.Sprintf("alias/%d", 9-i), two.KeyId
		if i%2 == 0 {
			key, ofOne = one.KeyId, append(ofOne, name)
		}
		s.must(s.createAlias(name, key))
		all = append(all, name)
	}
	slices.Sort(all)
	slices.Sort(ofOne)
	for _, limit := range []int32{1, 3, 100} {
		if got := s.aliases(nil, limit); !slices.Equal(got, all) {
			t.Errorf("%d at a time: %v, want %v", limit, got, all)
		}
		if got := s.aliases(one.KeyId, limit); !slices.Equal(got, ofOne) {
			t.Errorf("of one key, %d at a time: %v, want %v", limit, got, ofOne)
		}
	}
	s.stop()
	s.start()
	if got := s.aliases(nil, 100); !slices.Equal(got, all) {
		t.Errorf("after a restart: %v, want %v", got, all)
	}
}

// TestAliasRefusals is the table of what these operations refuse.
func TestAliasRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, full, doomed := s.createKey(), s.createKey(), s.createKey()
	for i := range maxAliases {
		s.must(s.createAlias(fmt.Sprintf("alias/full/%d", i), full.KeyId))
	}
	s.must(s.createAlias("alias/doomed", doomed.KeyId))
	_, err := s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: doomed.KeyId})
	s.must(err)
	s.must(s.createAlias("alias/taken", key.KeyId))

	create := func(name string, id *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.CreateAlias(ctx, &kmsv1.CreateAliasRequest{AliasName: &name, TargetKeyId: id})
			return err
		}
	}
	update := func(name string, id *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.UpdateAlias(ctx, &kmsv1.UpdateAliasRequest{AliasName: &name, TargetKeyId: id})
			return err
		}
	}
	list := func(req *kmsv1.ListAliasesRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.ListAliases(ctx, req); return err }
	}
	s.checkRefusals(t, []refusal{
		{"user creates", app, create("alias/x", key.KeyId), "ACCESS_DENIED", "kms:CreateAlias on resource: arn:aws:kms:us-east-1:000000000000:alias/x"},
		{"no prefix", admin, create("payroll", key.KeyId), "VALIDATION", `must start with the prefix "alias/"`},
		{"reserved", admin, create("alias/aws/s3", key.KeyId), "INVALID_ALIAS_NAME", "alias/aws/"},
		{"colon", admin, create("alias/a:b", key.KeyId), "INVALID_ALIAS_NAME", "alias/a:b"},
		{"nothing after the prefix", admin, create("alias/", key.KeyId), "INVALID_ALIAS_NAME", "alias/"},
		{"space", admin, create("alias/a b", key.KeyId), "VALIDATION", "at 'aliasName' failed to satisfy constraint"},
		{"too long", admin, create("alias/"+strings.Repeat("x", 251), key.KeyId), "VALIDATION", "at 'aliasName' failed to satisfy constraint: Member must have length less than or equal to 256"},
		{"taken", admin, create("alias/taken", full.KeyId), "ALREADY_EXISTS", "An alias with the name arn:aws:kms:us-east-1:000000000000:alias/taken already exists"},
		{"target by alias", admin, create("alias/x", new("alias/taken")), "NOT_FOUND", "Invalid keyId 'alias/taken'"},
		{"unknown target", admin, create("alias/x", new("12345678-1234-1234-1234-123456789012")), "NOT_FOUND", "does not exist"},
		{"doomed target", admin, create("alias/x", doomed.KeyId), "KMS_INVALID_STATE", "is pending deletion."},
		{"one too many", admin, create("alias/x", full.KeyId), "LIMIT_EXCEEDED", "50 aliases"},

		{"update of none", admin, update("alias/none", key.KeyId), "NOT_FOUND", "Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found."},
		{"update to a full key", admin, update("alias/taken", full.KeyId), "LIMIT_EXCEEDED", "50 aliases"},
		{"update to a doomed key", admin, update("alias/taken", doomed.KeyId), "KMS_INVALID_STATE", "is pending deletion."},
		{"delete of none", admin, func(ctx context.Context) error {
			_, err := s.DeleteAlias(ctx, &kmsv1.DeleteAliasRequest{AliasName: new("alias/none")})
			return err
		}, "NOT_FOUND", "alias/none is not found."},

		{"101 to a page", app, list(&kmsv1.ListAliasesRequest{Limit: new(int32(101))}), "VALIDATION", "Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"marker of another list", app, list(&kmsv1.ListAliasesRequest{Marker: new("AAAA")}), "INVALID_MARKER", "not one that ListAliases answered"},
		{"aliases of an unknown key", app, list(&kmsv1.ListAliasesRequest{KeyId: new("12345678-1234-1234-1234-123456789012")}), "NOT_FOUND", "does not exist"},
	})
	for _, ok := range []func(context.Context) error{
		update("alias/full/0", full.KeyId), update("alias/doomed", key.KeyId), create("alias/x", key.KeyId),
	} {
		if err := ok(s.as(admin)); err != nil {
			t.Error(err)
		}
	}
}

// TestAChangeThatWaitedHoldsWhatItThenFinds moves an alias to another key while
// its deletion waits: the deletion has to wait for changes of that key, too.
func TestAChangeThatWaitedHoldsWhatItThenFinds(t *testing.T) {
	s := startService(t)
	first, second := s.createKey(), s.createKey()
	s.must(s.createAlias("alias/payroll", first.KeyId))
	ofAlias, err := s.changes.begin(t.Context(), s.scope.aliasPath("alias/payroll"))
	s.must(err)
	ofSecond, err := s.changes.begin(t.Context(), s.scope.keyPath(uuid.MustParse(second.GetKeyId())))
	s.must(err)

	ctx, cancel := context.WithTimeout(s.as(admin), 300*time.Millisecond)
	defer cancel()
	deletion := make(chan error)
	go func() {
		_, err := s.DeleteAlias(ctx, &kmsv1.DeleteAliasRequest{AliasName: new("alias/payroll")})
		deletion <- err
	}()
	a := s.view.alias("alias/payroll")
	r := proto.CloneOf(a.record)
	r.TargetKeyId = second.KeyId
	s.must(s.storeAlias(t.Context(), newProof(s.Keystore, "moved"), a, s.view.get(uuid.MustParse(second.GetKeyId())), r))
	ofAlias.end()
	if err := <-deletion; err == nil || AsError(err).Kind != annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT {
		t.Errorf("an alias was deleted while its key was held by another change: %v", err)
	}
	ofSecond.end()
	_, err = s.DeleteAlias(s.as(admin), &kmsv1.DeleteAliasRequest{AliasName: new("alias/payroll")})
	s.must(err)
}
