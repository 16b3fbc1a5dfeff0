package keystore

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// The callers of the property test. Of each but the stranger there is an identity
// policy that allows some of it.
const (
	ops      = "arn:aws:iam::000000000000:role/ops"
	session  = "arn:aws:sts::000000000000:assumed-role/ops/night"
	eve      = "arn:aws:iam::111111111111:user/eve"
	stranger = "arn:aws:iam::000000000000:user/stranger"
)

// chance makes policies, grants and requests of few words, so that they often meet.
type chance struct{ *rand.Rand }

func oneOf[T any](c chance, of ...T) T { return of[c.IntN(len(of))] }

// statement is one of a policy; principals are those of a key policy.
func (c chance) statement(principals ...string) map[string]any {
	s := map[string]any{
		"Effect": oneOf(c, "Allow", "Allow", "Deny"), "Resource": "*",
		"Action": oneOf(c, "kms:*", "kms:Encrypt", "kms:De*", "kms:CreateGrant", "kms:Schedule*"),
	}
	if principals != nil {
		of := oneOf(c, principals...)
		if s["Principal"] = map[string]any{"AWS": of}; of == root {
			s["Effect"] = "Allow" // a Deny would be the admin's too
		}
	}
	if c.IntN(2) == 0 {
		s["Condition"] = c.condition()
	}
	return s
}

func (c chance) condition() map[string]any {
	operator := oneOf(c, "StringEquals", "StringNotEquals", "StringEqualsIfExists")
	key := oneOf(c, "kms:EncryptionContext:dept", "aws:PrincipalArn", "kms:KeySpec", "kms:RequestAlias", "kms:CallerAccount",
		"kms:EncryptionAlgorithm", "kms:GrantOperations", "kms:ScheduleKeyDeletionPendingWindowInDays", "aws:UserAgent", "aws:SecureTransport")
	value := oneOf(c, "cakes", "pies", app, ops, "SYMMETRIC_DEFAULT", "alias/chance", "000000000000", "Encrypt", "7", "test/1", "true")
	switch {
	case strings.HasPrefix(key, "kms:Schedule"):
		operator = "NumericEquals"
		value = oneOf(c, "7", "8")
	case key == "kms:GrantOperations":
		operator = "ForAllValues:" + operator
	case key == "aws:SecureTransport":
		operator, value = "Bool", oneOf(c, "true", "false")
	}
	if c.IntN(6) == 0 {
		operator, value = "Null", oneOf(c, "true", "false")
	}
	return map[string]any{operator: map[string]any{key: value}}
}

// document is a policy of some statements, the first of which are given.
func (c chance) document(first []map[string]any, principals ...string) string {
	for range 1 + c.IntN(4) {
		first = append(first, c.statement(principals...))
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": first})
	if err != nil {
		panic(err) // strings and maps of them
	}
	return string(text)
}

// keyPolicy is one that leaves the key to the admin, whatever else it says.
func (c chance) keyPolicy() string {
	manage := map[string]any{"Effect": "Allow", "Principal": map[string]any{"AWS": admin}, "Action": "kms:*", "Resource": "*"}
	return c.document([]map[string]any{manage}, root, app, ops, session, eve, stranger)
}

func (c chance) pairs() map[string]string {
	return oneOf(c, nil, map[string]string{"dept": "cakes"}, map[string]string{"dept": "pies"}, map[string]string{"Dept": "cakes", "n": "1"})
}

func (c chance) grant(key *string) *kmsv1.CreateGrantRequest {
	req := &kmsv1.CreateGrantRequest{KeyId: key, GranteePrincipal: new(oneOf(c, app, ops, session, eve, stranger))}
	req.Operations = oneOf(c,
		[]kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT, kmsv1.GrantOperation_GRANT_OPERATION_CREATE_GRANT},
		[]kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_DECRYPT},
		[]kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_DESCRIBE_KEY, kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT},
	)
	if pairs := c.pairs(); pairs != nil && c.IntN(2) == 0 {
		req.Constraints = &kmsv1.GrantConstraints{EncryptionContextSubset: pairs}
	} else if pairs != nil {
		req.Constraints = &kmsv1.GrantConstraints{EncryptionContextEquals: pairs}
	}
	return req
}

// TestSimulationAgreesWithTheOperations makes requests under policies and grants of
// chance, and asks of each beforehand.
func TestSimulationAgreesWithTheOperations(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	c := chance{rand.New(rand.NewPCG(4, 3))}
	s.startWith(func(config *Config) {
		config.Policies = map[string]string{}
		for _, principal := range []string{app, ops, session, eve} {
			name := fmt.Sprintf("chance-%d", len(config.Policies))
			config.Policies[name], config.Principals[principal] = c.document(nil), []string{name}
		}
	})
	t.Cleanup(s.stop)
	key := s.createKey()
	s.must(s.createAlias("alias/chance", key.KeyId))
	allowed := map[string]int{}
	const rounds, requests = 25, 20
	for range rounds {
		_, err := s.PutKeyPolicy(s.as(admin), &kmsv1.PutKeyPolicyRequest{KeyId: key.KeyId, Policy: new(c.keyPolicy())})
		s.must(err)
		grant := c.grant(key.KeyId)
		granted := s.grant(admin, grant)
		for range requests {
			if s.agrees(c, key, grant, granted.GetGrantToken()) {
				allowed["yes"]++
			} else {
				allowed["no"]++
			}
		}
		_, err = s.RevokeGrant(s.as(admin), &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: granted.GrantId})
		s.must(err)
	}
	if t.Logf("%v", allowed); allowed["yes"] < 50 || allowed["no"] < 50 {
		t.Errorf("%v: the test does not show much", allowed)
	}
}

// agrees compares a simulation with its request, and says whether that is allowed.
func (s *service) agrees(c chance, key *kmsv1.KeyMetadata, grant *kmsv1.CreateGrantRequest, token string) bool {
	s.t.Helper()
	principal, ref := oneOf(c, app, ops, session, eve, stranger), oneOf(c, key.GetKeyId(), key.GetArn(), "alias/chance")
	ask, do := s.requestOf(c, principal, ref, key, grant, token)
	answer, err := s.Operator().SimulatePolicy(s.as(auditor), ask)
	s.must(err)
	failed := do()
	denied := failed != nil && AsError(failed).Kind == annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED
	if failed != nil && !denied && AsError(failed).Kind != annotationsv1.ErrorKind_ERROR_KIND_DRY_RUN_OPERATION {
		s.t.Fatalf("%v: %v", ask, failed)
	}
	if denied == answer.GetAllowed() || (denied && !strings.HasSuffix(AsError(failed).Message, answer.GetReason())) {
		s.t.Errorf("%v:\nsimulated %v\nanswered %v", ask, answer, failed)
	}
	return !denied
}

// requestOf makes a request of chance and its simulation, which is told what only
// the request says. A grant that it makes is like the key's: it may be by way of that.
func (s *service) requestOf(c chance, principal, ref string, key *kmsv1.KeyMetadata, grant *kmsv1.CreateGrantRequest, token string,
) (*operatorv1.SimulatePolicyRequest, func() error) {
	var tokens []string
	if c.IntN(3) == 0 {
		tokens = []string{token}
	}
	simulation := func(action, ref string, more ...func(*operatorv1.SimulatePolicyRequest)) *operatorv1.SimulatePolicyRequest {
		more = append(more, given("aws:SourceIp", "192.0.2.7"), given("aws:UserAgent", "test/1"), given("aws:SecureTransport", "true"))
		return asking(principal, action, ref, more...)
	}
	withToken := func(r *operatorv1.SimulatePolicyRequest) { r.GrantTokens = tokens }
	ctx, pairs, arn := s.as(principal), c.pairs(), key.GetArn()
	switch c.IntN(5) {
	case 0:
		return simulation("kms:Encrypt", ref, inContext(pairs), withToken), func() error {
			_, err := s.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &ref, Plaintext: []byte("x"), EncryptionContext: pairs, GrantTokens: tokens, DryRun: new(true)})
			return err
		}
	case 1:
		return simulation("kms:Decrypt", ref, inContext(pairs), withToken), func() error { return s.decryptAs(principal, ref, pairs, tokens) }
	case 2:
		return simulation("kms:DescribeKey", ref, withToken), func() error {
			_, err := s.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &ref, GrantTokens: tokens})
			return err
		}
	case 3:
		operations := make([]string, len(grant.GetOperations()))
		for i, o := range grant.GetOperations() {
			operations[i] = describe.WireName(o)
		}
		return simulation("kms:CreateGrant", arn, withToken, given("kms:GrantOperations", operations...)), func() error {
			_, err := s.CreateGrant(ctx, &kmsv1.CreateGrantRequest{
				KeyId: &arn, GranteePrincipal: new(app), GrantTokens: tokens, DryRun: new(true), Operations: grant.Operations, Constraints: grant.Constraints,
			})
			return err
		}
	default:
		return simulation("kms:ScheduleKeyDeletion", arn, given("kms:ScheduleKeyDeletionPendingWindowInDays", "7")),
			func() error { return s.scheduleAndRepent(principal, arn) }
	}
}

// decryptAs has a ciphertext of the admin's decrypted.
func (s *service) decryptAs(principal, ref string, pairs map[string]string, tokens []string) error {
	sealed, err := s.Encrypt(s.as(admin), &kmsv1.EncryptRequest{KeyId: &ref, Plaintext: []byte("x"), EncryptionContext: pairs})
	s.must(err)
	_, err = s.Decrypt(s.as(principal), &kmsv1.DecryptRequest{KeyId: &ref, CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: pairs, GrantTokens: tokens})
	return err
}

// scheduleAndRepent schedules the key's deletion, and has the admin take it back.
func (s *service) scheduleAndRepent(principal, key string) error {
	_, err := s.ScheduleKeyDeletion(s.as(principal), &kmsv1.ScheduleKeyDeletionRequest{KeyId: &key, PendingWindowInDays: new(int32(7))})
	if err != nil {
		return err
	}
	_, err = s.CancelKeyDeletion(s.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: &key})
	s.must(err)
	_, err = s.EnableKey(s.as(admin), &kmsv1.EnableKeyRequest{KeyId: &key})
	s.must(err)
	return nil
}
