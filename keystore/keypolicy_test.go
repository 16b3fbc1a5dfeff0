package keystore

import (
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// statement is a statement of a key policy; condition is empty, or the JSON of
// its Condition.
func statement(effect, principal, action, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"` + action + `","Resource":"*"` + condition + `}`
}

func keyPolicy(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func (s *service) putPolicy(key *kmsv1.KeyMetadata, statements ...string) {
	s.t.Helper()
	_, err := s.PutKeyPolicy(s.as(admin), &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: new(keyPolicy(statements...))})
	s.must(err)
}

func TestAKeyPolicyIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	text := keyPolicy(statement("Allow", admin, "kms:*", ""), statement("Allow", nobody, "kms:Encrypt", ""))
	_, err := s.PutKeyPolicy(s.as(admin), &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: &text})
	s.must(err)
	s.must(s.encryptAs(nobody, key, nil))
	s.expectKind("one with an identity policy that the key policy does not let in", s.encryptAs(app, key, nil), denied)
	got, err := s.GetKeyPolicy(s.as(admin), &kmsv1.GetKeyPolicyRequest{KeyId: key.KeyId})
	if err != nil || got.GetPolicy() != text {
		t.Errorf("GetKeyPolicy = %q, %v", got.GetPolicy(), err)
	}
	s.putPolicy(key, statement("Allow", admin, "kms:*", ""))
	s.expectKind("after the next policy", s.encryptAs(nobody, key, nil), denied)
}

// TestAnExplicitDenyBeatsEverything denies what a grant, the key policy and an
// identity policy allow.
func TestAnExplicitDenyBeatsEverything(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	s.grant(admin, granting(key, nobody, mayEncrypt))
	s.must(s.encryptAs(nobody, key, nil))
	allow, deny := statement("Allow", root, "kms:*", ""), func(who string) string { return statement("Deny", who, "kms:Encrypt", "") }
	s.putPolicy(key, allow, statement("Allow", nobody, "kms:Encrypt", ""), deny(nobody), deny(app))
	for _, who := range []string{nobody, app} {
		err := s.encryptAs(who, key, nil)
		s.expectKind(who, err, denied)
		if want := "User: " + who + " is not authorized to perform: kms:Encrypt on resource: " + key.GetArn() + " with an explicit deny in a resource-based policy"; err != nil && AsError(err).Message != want {
			t.Errorf("%q, want %q", AsError(err).Message, want)
		}
	}
	s.putPolicy(key, allow)
	s.must(s.encryptAs(nobody, key, nil))
}

func TestTheLockoutCheck(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	put := func(text string, bypass bool) error {
		_, err := s.PutKeyPolicy(s.as(admin), &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: &text, BypassPolicyLockoutSafetyCheck: &bypass})
		return err
	}
	allowed := statement("Allow", admin, "kms:*", "")
	for what, text := range map[string]string{
		"somebody else":       keyPolicy(statement("Allow", app, "kms:*", "")),
		"no PutKeyPolicy":     keyPolicy(statement("Allow", admin, "kms:Get*", "")),
		"denied by the same":  keyPolicy(allowed, statement("Deny", admin, "kms:PutKeyPolicy", "")),
		"from somewhere else": keyPolicy(statement("Allow", admin, "kms:*", `{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}`)),
	} {
		err := put(text, false)
		s.expectKind(what, err, annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_POLICY_DOCUMENT)
		if err != nil && AsError(err).Message != policy.LockoutMessage {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.must(put(keyPolicy(allowed), false))
	s.must(put(keyPolicy(statement("Allow", app, "kms:*", "")), true))
	s.expectKind("locked out", put(keyPolicy(allowed), false), denied)
}

// TestConditionKeys puts each condition into a key policy and makes one request
// that meets it and one that does not.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, other := s.createKey(), s.createKey()
	s.must(s.createAlias("alias/one", key.KeyId))
	s.must(s.createAlias("alias/two", key.KeyId))
	s.putPolicy(other, statement("Allow", root, "kms:*", ""), statement("Allow", nobody, "kms:*", ""))
	sealed, err := s.Encrypt(s.as(admin), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	s.must(err)
	encrypt := func(id string, inContext map[string]string) func() error {
		return func() error {
			_, err := s.Encrypt(s.as(nobody), &kmsv1.EncryptRequest{KeyId: &id, Plaintext: []byte("x"), EncryptionContext: inContext})
			return err
		}
	}
	plain := encrypt(key.GetKeyId(), nil)
	from := func(ip string) func() error {
		return func() error {
			_, err := s.Encrypt(NewContext(t.Context(), Caller{Principal: nobody, SourceIP: ip}), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
			return err
		}
	}
	reEncrypt := func(to *kmsv1.KeyMetadata) func() error {
		return func() error {
			_, err := s.ReEncrypt(s.as(nobody), &kmsv1.ReEncryptRequest{CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: to.KeyId})
			return err
		}
	}
	grants := func(constraints *kmsv1.GrantConstraints, operations ...kmsv1.GrantOperation) func() error {
		return func() error {
			req := granting(key, second, operations...)
			req.Constraints = constraints
			_, err := s.CreateGrant(s.as(nobody), req)
			return err
		}
	}
	constrained := &kmsv1.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "1"}}
	for _, c := range []struct {
		name, condition string
		meets, fails    func() error // nil: no such request
	}{
		{"kms:EncryptionContext:a", `{"StringEquals":{"kms:EncryptionContext:a":"1"}}`, encrypt(key.GetKeyId(), map[string]string{"a": "1"}), encrypt(key.GetKeyId(), map[string]string{"a": "2"})},
		{"kms:EncryptionContext:a, none", `{"StringEquals":{"kms:EncryptionContext:a":"1"}}`, nil, plain},
		{"kms:EncryptionContextKeys", `{"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"a"}}`, encrypt(key.GetKeyId(), map[string]string{"a": "1", "b": "2"}), encrypt(key.GetKeyId(), map[string]string{"b": "2"})},
		{"aws:SourceIp", `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, from("192.0.2.255"), from("192.0.3.0")},
		{"aws:PrincipalArn", `{"ArnEquals":{"aws:PrincipalArn":"` + nobody + `"}}`, plain, nil},
		{"kms:KeySpec", `{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}}`, plain, nil},
		{"kms:KeySpec, another", `{"StringEquals":{"kms:KeySpec":"RSA_2048"}}`, nil, plain},
		{"kms:KeyUsage", `{"StringEquals":{"kms:KeyUsage":"ENCRYPT_DECRYPT"}}`, plain, nil},
		{"kms:KeyOrigin", `{"StringEquals":{"kms:KeyOrigin":"EXTERNAL"}}`, nil, plain},
		{"kms:RequestAlias", `{"StringEquals":{"kms:RequestAlias":"alias/one"}}`, encrypt("alias/one", nil), encrypt("alias/two", nil)},
		{"kms:RequestAlias, by id", `{"StringEquals":{"kms:RequestAlias":"alias/one"}}`, nil, plain},
		{"kms:CallerAccount", `{"StringEquals":{"kms:CallerAccount":"000000000000"}}`, plain, nil},
		{"kms:ReEncryptOnSameKey", `{"Bool":{"kms:ReEncryptOnSameKey":"true"}}`, reEncrypt(key), reEncrypt(other)},
		{"kms:GrantOperations", `{"ForAllValues:StringEquals":{"kms:GrantOperations":["Encrypt","Decrypt"]}}`, grants(nil, mayEncrypt), grants(nil, mayEncrypt, mayDescribe)},
		{"kms:GrantConstraintType", `{"StringEquals":{"kms:GrantConstraintType":"EncryptionContextSubset"}}`, grants(constrained, mayEncrypt), grants(nil, mayEncrypt)},
		{"kms:GranteePrincipal", `{"StringEquals":{"kms:GranteePrincipal":"` + second + `"}}`, grants(nil, mayEncrypt), nil},
		{"kms:RetiringPrincipal", `{"StringEquals":{"kms:RetiringPrincipal":"` + second + `"}}`, nil, grants(nil, mayEncrypt)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			s.putPolicy(key, statement("Allow", root, "kms:*", ""), statement("Allow", nobody, "kms:*", c.condition))
			if c.meets != nil {
				s.expectKind("a request that meets it", c.meets(), ok)
			}
			if c.fails != nil {
				s.expectKind("a request that does not", c.fails(), denied)
			}
		})
	}
}

// TestConditionKeysThatNoKeyPolicyMayHave are about what those may change who
// tag the key, as the page "AWS KMS condition keys" has it.
func TestConditionKeysThatNoKeyPolicyMayHave(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	for _, name := range []string{"aws:ResourceTag/team", "kms:ResourceAliases"} {
		text := keyPolicy(statement("Allow", root, "kms:*", ""), statement("Allow", nobody, "kms:*", `{"StringEquals":{"`+name+`":"x"}}`))
		_, err := s.PutKeyPolicy(s.as(admin), &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: &text})
		s.expectKind(name, err, annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_POLICY_DOCUMENT)
	}
}

// TestConditionKeysOfIdentityPolicies does the same with an identity policy,
// which may speak of a key's tags and aliases.
func TestConditionKeysOfIdentityPolicies(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.startWith(func(c *Config) {
		allow := func(condition string) string {
			return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*","Condition":` + condition + `}}`
		}
		c.Policies = map[string]string{
			"by-tag":   allow(`{"StringEquals":{"aws:ResourceTag/team":"blue"}}`),
			"by-alias": allow(`{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/two"}}`),
		}
		c.Principals[nobody], c.Principals[second] = []string{"by-tag"}, []string{"by-alias"}
	})
	t.Cleanup(s.stop)
	key := s.createKey()
	for _, who := range []string{nobody, second} {
		s.expectKind(who+" before", s.encryptAs(who, key, nil), denied)
	}
	s.must(s.tag(key.KeyId, tagsOf("team", "red")...))
	s.must(s.createAlias("alias/one", key.KeyId))
	for _, who := range []string{nobody, second} {
		s.expectKind(who+" with another value", s.encryptAs(who, key, nil), denied)
	}
	s.must(s.tag(key.KeyId, tagsOf("team", "blue")...))
	s.must(s.createAlias("alias/two", key.KeyId))
	for _, who := range []string{nobody, second} {
		s.must(s.encryptAs(who, key, nil))
	}
	s.must(s.untag(key.KeyId, "team"))
	s.expectKind("without the tag", s.encryptAs(nobody, key, nil), denied)
}
