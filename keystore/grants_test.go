package keystore

import (
	"fmt"
	"maps"
	"testing"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Operations that a grant can allow, and who gets and retires grants here: none
// of them may do anything by a policy.
const (
	mayEncrypt  = kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT
	mayDecrypt  = kmsv1.GrantOperation_GRANT_OPERATION_DECRYPT
	mayDescribe = kmsv1.GrantOperation_GRANT_OPERATION_DESCRIBE_KEY
	mayGrant    = kmsv1.GrantOperation_GRANT_OPERATION_CREATE_GRANT
	mayRetire   = kmsv1.GrantOperation_GRANT_OPERATION_RETIRE_GRANT

	retirer = "arn:aws:iam::000000000000:role/retirer"
	second  = "arn:aws:iam::000000000000:user/second"
)

// granting is a request for a grant to a principal.
func granting(key *kmsv1.KeyMetadata, to string, operations ...kmsv1.GrantOperation) *kmsv1.CreateGrantRequest {
	return &kmsv1.CreateGrantRequest{KeyId: key.KeyId, GranteePrincipal: &to, RetiringPrincipal: new(retirer), Operations: operations}
}

func (s *service) grant(by string, req *kmsv1.CreateGrantRequest) *kmsv1.CreateGrantResponse {
	s.t.Helper()
	res, err := s.CreateGrant(s.as(by), req)
	s.must(err)
	return res
}

// encryptAs encrypts a little in an encryption context.
func (s *service) encryptAs(who string, key *kmsv1.KeyMetadata, inContext map[string]string) error {
	_, err := s.Encrypt(s.as(who), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x"), EncryptionContext: inContext})
	return err
}

func (s *service) expectKind(what string, err error, want Kind) {
	s.t.Helper()
	if kindOf(err) != want {
		s.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestAGrantIsInForceAtOnceUntilItEnds(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, other := s.createKey(), s.createKey()
	s.expectKind("before", s.encryptAs(nobody, key, nil), denied)
	g := s.grant(admin, granting(key, nobody, mayEncrypt))
	s.must(s.encryptAs(nobody, key, nil))
	s.expectKind("another key", s.encryptAs(nobody, other, nil), denied)
	s.expectKind("another principal", s.encryptAs(second, key, nil), denied)
	_, err := s.DescribeKey(s.as(nobody), &kmsv1.DescribeKeyRequest{KeyId: key.KeyId})
	s.expectKind("another operation", err, denied)
	_, err = s.RevokeGrant(s.as(admin), &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: g.GrantId})
	s.must(err)
	s.expectKind("revoked", s.encryptAs(nobody, key, nil), denied)
	_, err = s.RevokeGrant(s.as(admin), &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: g.GrantId})
	s.expectKind("revoked twice", err, notFound)
	_, err = s.Encrypt(s.as(nobody), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x"), GrantTokens: []string{g.GetGrantToken()}})
	if err == nil {
		t.Error("the token of a revoked grant opened the key")
	}
}

// TestConstraintsOfGrants holds grants against encryption contexts, as the page
// "Using grant constraints" of the AWS KMS Developer Guide has it.
func TestConstraintsOfGrants(t *testing.T) {
	t.Parallel()
	s := startService(t)
	pair, more := map[string]string{"a": "1"}, map[string]string{"a": "1", "b": "2"}
	for name, c := range map[string]struct {
		constraint *kmsv1.GrantConstraints
		want       []bool // none, pair, more, another value, another case
	}{
		"none":   {nil, []bool{true, true, true, true, true}},
		"equals": {&kmsv1.GrantConstraints{EncryptionContextEquals: pair}, []bool{false, true, false, false, false}},
		"subset": {&kmsv1.GrantConstraints{EncryptionContextSubset: pair}, []bool{false, true, true, false, false}},
	} {
		key := s.createKey()
		req := granting(key, nobody, mayEncrypt)
		req.Constraints = c.constraint
		s.grant(admin, req)
		for i, inContext := range []map[string]string{nil, pair, more, {"a": "2"}, {"A": "1"}} {
			want := denied
			if c.want[i] {
				want = ok
			}
			s.expectKind(fmt.Sprintf("%s with %v", name, inContext), s.encryptAs(nobody, key, inContext), want)
		}
	}
}

// TestAGranteePassesOnNoMoreThanItHas makes grants by grants alone.
func TestAGranteePassesOnNoMoreThanItHas(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	mine := granting(key, nobody, mayGrant, mayEncrypt)
	mine.Constraints = &kmsv1.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "1"}}
	s.grant(admin, mine)
	within := func(c *kmsv1.GrantConstraints, operations ...kmsv1.GrantOperation) error {
		req := granting(key, second, operations...)
		req.Constraints = c
		_, err := s.CreateGrant(s.as(nobody), req)
		return err
	}
	same, narrow := map[string]string{"a": "1"}, map[string]string{"a": "1", "b": "2"}
	for _, c := range []struct {
		what string
		err  error
		want Kind
	}{
		{"another operation", within(&kmsv1.GrantConstraints{EncryptionContextSubset: same}, mayEncrypt, mayDecrypt), denied},
		{"no constraint", within(nil, mayEncrypt), denied},
		{"another constraint", within(&kmsv1.GrantConstraints{EncryptionContextSubset: map[string]string{"b": "2"}}, mayEncrypt), denied},
		{"the same", within(&kmsv1.GrantConstraints{EncryptionContextSubset: same}, mayEncrypt), ok},
		{"narrower", within(&kmsv1.GrantConstraints{EncryptionContextSubset: narrow}, mayEncrypt), ok},
		{"equals, which is narrower", within(&kmsv1.GrantConstraints{EncryptionContextEquals: narrow}, mayEncrypt), ok},
		{"passing on", within(&kmsv1.GrantConstraints{EncryptionContextSubset: same}, mayGrant, mayEncrypt), ok},
	} {
		s.expectKind(c.what, c.err, c.want)
	}
	s.expectKind("outside of the constraint", s.encryptAs(second, key, nil), denied)
	s.must(s.encryptAs(second, key, narrow))
}

func TestWhoRetiresAGrant(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	s.grant(admin, granting(key, second, mayEncrypt, mayRetire))
	for _, c := range []struct {
		what, who  string
		operations []kmsv1.GrantOperation
		want       Kind
	}{
		{"retiring principal", retirer, []kmsv1.GrantOperation{mayEncrypt}, ok},
		{"grantee with RetireGrant", nobody, []kmsv1.GrantOperation{mayEncrypt, mayRetire}, ok},
		{"grantee without it", nobody, []kmsv1.GrantOperation{mayEncrypt}, denied},
		{"another", second, []kmsv1.GrantOperation{mayEncrypt, mayRetire}, denied},
		{"grantee of another grant with RetireGrant", second, []kmsv1.GrantOperation{mayEncrypt}, denied},
		{"one who may by its policies", admin, []kmsv1.GrantOperation{mayEncrypt}, ok},
	} {
		for _, byToken := range []bool{true, false} {
			g := s.grant(admin, granting(key, nobody, c.operations...))
			req := &kmsv1.RetireGrantRequest{GrantToken: g.GrantToken}
			if !byToken {
				req = &kmsv1.RetireGrantRequest{KeyId: key.Arn, GrantId: g.GrantId}
			}
			_, err := s.RetireGrant(s.as(c.who), req)
			s.expectKind(fmt.Sprintf("%s, by token: %t", c.what, byToken), err, c.want)
			if there := s.view.grant(s.byKeyID(key.GetKeyId())().key.id, g.GetGrantId()) != nil; there == (c.want == ok) {
				t.Errorf("%s: the grant is there afterwards: %t", c.what, there)
			}
		}
	}
	_, err := s.RevokeGrant(s.as(retirer), &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: s.grant(admin, granting(key, nobody, mayEncrypt)).GrantId})
	s.expectKind("revoked by the retiring principal", err, denied)
}

// TestANameMakesCreateGrantIdempotent repeats requests with and without a name.
func TestANameMakesCreateGrantIdempotent(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	named := granting(key, nobody, mayEncrypt)
	named.Name = new("payroll")
	first, again := s.grant(admin, named), s.grant(admin, named)
	if first.GetGrantId() != again.GetGrantId() || first.GetGrantToken() != again.GetGrantToken() {
		t.Error("the same request made another grant")
	}
	named.Operations = append(named.Operations, mayDecrypt)
	if s.grant(admin, named).GetGrantId() == first.GetGrantId() {
		t.Error("another request answered the same grant")
	}
	if a, b := s.grant(admin, granting(key, nobody, mayEncrypt)), s.grant(admin, granting(key, nobody, mayEncrypt)); a.GetGrantId() == b.GetGrantId() {
		t.Error("two grants without a name are one")
	}
}

// TestListsOfGrantsLoseAndRepeatNothing pages while grants are added: what was
// there at the beginning is answered once.
func TestListsOfGrantsLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	s := startService(t)
	keys := []*kmsv1.KeyMetadata{s.createKey(), s.createKey()}
	add := func() string {
		var id string
		for _, key := range keys {
			id = s.grant(admin, granting(key, nobody, mayEncrypt)).GetGrantId()
		}
		return id
	}
	first, of := make(map[string]bool), keys[1]
	for range 7 {
		first[add()] = true
	}
	collect := func(what string, page func(marker *string) ([]*kmsv1.GrantListEntry, *string)) {
		seen := make(map[string]int)
		for marker := (*string)(nil); ; add() {
			var entries []*kmsv1.GrantListEntry
			entries, marker = page(marker)
			for _, e := range entries {
				seen[e.GetGrantId()]++
			}
			if marker == nil {
				break
			}
		}
		for id := range first {
			if seen[id] != 1 {
				t.Errorf("%s: a grant was listed %d times", what, seen[id])
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s: %s was listed %d times", what, id, n)
			}
		}
	}
	limit := new(int32(3))
	collect("ListGrants", func(marker *string) ([]*kmsv1.GrantListEntry, *string) {
		res, err := s.ListGrants(s.as(admin), &kmsv1.ListGrantsRequest{KeyId: of.KeyId, Limit: limit, Marker: marker})
		s.must(err)
		return res.Grants, res.NextMarker
	})
	collect("ListRetirableGrants", func(marker *string) ([]*kmsv1.GrantListEntry, *string) {
		res, err := s.ListRetirableGrants(s.as(admin), &kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: new(retirer), Limit: limit, Marker: marker})
		s.must(err)
		return res.Grants, res.NextMarker
	})
}

// TestGrantsAndPoliciesOutliveARestart compares what is answered before and after.
func TestGrantsAndPoliciesOutliveARestart(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	key := s.createKey()
	req := granting(key, nobody, mayEncrypt, mayDescribe)
	req.Name, req.Constraints = new("payroll"), &kmsv1.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "1"}}
	g := s.grant(admin, req)
	s.putPolicy(key, statement("Allow", admin, "kms:*", ""), statement("Allow", app, "kms:DescribeKey", ""))
	s.stop()
	s.start()
	defer s.stop()
	list, err := s.ListGrants(s.as(admin), &kmsv1.ListGrantsRequest{KeyId: key.KeyId})
	s.must(err)
	if len(list.Grants) != 1 || list.Grants[0].GetGrantId() != g.GetGrantId() || list.Grants[0].GetName() != "payroll" ||
		!maps.Equal(list.Grants[0].GetConstraints().GetEncryptionContextEquals(), map[string]string{"a": "1"}) {
		t.Errorf("after the restart there are the grants %v", list.Grants)
	}
	s.must(s.encryptAs(nobody, key, map[string]string{"a": "1"}))
	s.expectKind("outside of the constraint", s.encryptAs(nobody, key, nil), denied)
	s.expectKind("what the policy does not allow", s.encryptAs(app, key, nil), annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED)
	if s.grant(admin, req).GetGrantId() != g.GetGrantId() {
		t.Error("the same request made another grant after the restart")
	}
}
