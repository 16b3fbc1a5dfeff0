package console

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// clusterID is the cluster of the custom key store, where a system has one.
const clusterID = "cluster-ccccccccccc"

// need ends the test if something that it stands on went wrong.
func need[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newKey makes a key with an alias, and returns its ARN.
func (s *system) newKey(t *testing.T, alias string, req *kmsv1.CreateKeyRequest) string {
	t.Helper()
	made := need[*kmsv1.CreateKeyResponse](t)(s.client.KMS.CreateKey(t.Context(), req))
	arn := made.GetKeyMetadata().GetArn()
	need[*kmsv1.CreateAliasResponse](t)(s.client.KMS.CreateAlias(t.Context(), &kmsv1.CreateAliasRequest{AliasName: &alias, TargetKeyId: &arn}))
	return arn
}

// encrypt encrypts something, and returns the request's id.
func (s *system) encrypt(t *testing.T, key string) string {
	t.Helper()
	var header harness.Header
	need[*kmsv1.EncryptResponse](t)(s.client.KMS.Encrypt(t.Context(), &kmsv1.EncryptRequest{
		KeyId: &key, Plaintext: []byte("x"), EncryptionContext: map[string]string{"department": "payroll"},
	}, header.Option()))
	return header.RequestID()
}

// keyID is the part of an ARN that names the key.
func keyID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// inhabited is a running system as one is after some time: two HSMs, a connected key store,
// keys in all states, of which payroll has everything that a key can have.
func inhabited(t *testing.T) (s *system, payroll string) {
	t.Helper()
	s = newSystem(t, harness.Options{
		Members: harness.Members(2), Clusters: []harness.Cluster{{ID: clusterID}},
	}, "").start(t)
	payroll = s.newKey(t, "alias/payroll", &kmsv1.CreateKeyRequest{
		Description: new("Salaries and pensions"),
		Tags:        []*kmsv1.Tag{{TagKey: new("department"), TagValue: new("payroll")}},
	})
	s.give(t, payroll)
	for range 5 {
		s.encrypt(t, payroll)
	}
	s.newKey(t, "alias/documents-signing", &kmsv1.CreateKeyRequest{
		Description: new("Signs released documents"),
		KeySpec:     kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256.Enum(), KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY.Enum(),
	})
	old := s.newKey(t, "alias/archive-2019", &kmsv1.CreateKeyRequest{Description: new("Archive of 2019")})
	need[*kmsv1.ScheduleKeyDeletionResponse](t)(s.client.KMS.ScheduleKeyDeletion(t.Context(),
		&kmsv1.ScheduleKeyDeletionRequest{KeyId: &old, PendingWindowInDays: new(int32(7))}))
	retired := s.newKey(t, "alias/retired", &kmsv1.CreateKeyRequest{Description: new("Of the former provider")})
	need[*kmsv1.DisableKeyResponse](t)(s.client.KMS.DisableKey(t.Context(), &kmsv1.DisableKeyRequest{KeyId: &retired}))
	s.connectStore(t)
	return s, payroll
}

// give gives a key a grant, rotation, and a second backing key.
func (s *system) give(t *testing.T, key string) {
	t.Helper()
	ctx := t.Context()
	need[*kmsv1.CreateGrantResponse](t)(s.client.KMS.CreateGrant(ctx, &kmsv1.CreateGrantRequest{
		KeyId: &key, GranteePrincipal: new(harness.ARN(harness.User)), Name: new("month-end"),
		Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT, kmsv1.GrantOperation_GRANT_OPERATION_DECRYPT},
	}))
	need[*kmsv1.EnableKeyRotationResponse](t)(s.client.KMS.EnableKeyRotation(ctx,
		&kmsv1.EnableKeyRotationRequest{KeyId: &key, RotationPeriodInDays: new(int32(180))}))
	need[*kmsv1.RotateKeyOnDemandResponse](t)(s.client.KMS.RotateKeyOnDemand(ctx, &kmsv1.RotateKeyOnDemandRequest{KeyId: &key}))
}

// connectStore makes the custom key store and waits until it is connected.
func (s *system) connectStore(t *testing.T) string {
	t.Helper()
	store := need[string](t)(s.client.NewStore(t.Context(), s.Site, clusterID))
	s.awaitStore(t, store, kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTED)
	return store
}

// awaitStore asks until a key store is in a state: nothing tells of it.
func (s *system) awaitStore(t *testing.T, store string, want kmsv1.ConnectionStateType) {
	t.Helper()
	askUntil(t, func(ctx context.Context) bool {
		answer := need[*kmsv1.DescribeCustomKeyStoresResponse](t)(s.client.KMS.DescribeCustomKeyStores(ctx,
			&kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: &store}))
		return answer.GetCustomKeyStores()[0].GetConnectionState() == want
	})
}

// askUntil asks for what no event tells of until it is so. Each time leaves an event.
func askUntil(t *testing.T, so func(context.Context) bool) {
	t.Helper()
	ctx, tick := within(t, patience), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !so(ctx) {
		<-tick.C
	}
}
