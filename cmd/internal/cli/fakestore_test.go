package cli_test

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// fakeStores says how often each key store was described since it was connected.
type fakeStores struct {
	mu        sync.Mutex
	described map[string]int
}

// state is that of a key store: cks-1 is connected when it was described twice,
// cks-locked fails, cks-slow is never done.
func (f *fakeStores) state(id string) (kmsv1.ConnectionStateType, *kmsv1.ConnectionErrorCodeType) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, connecting := f.described[id]
	f.described[id] = n + 1
	switch {
	case !connecting:
		delete(f.described, id)
		return kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_DISCONNECTED, nil
	case n < 2 || id == "cks-slow":
		return kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTING, nil
	case id == "cks-locked":
		return kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOCKED_OUT.Enum()
	default:
		return kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTED, nil
	}
}

func checkStore(id string) error {
	if !strings.HasPrefix(id, "cks-") {
		return refuse(codes.NotFound, "CustomKeyStoreNotFoundException", "%s", id)
	}
	return nil
}

func (fakeKMS) CreateCustomKeyStore(_ context.Context, r *kmsv1.CreateCustomKeyStoreRequest) (*kmsv1.CreateCustomKeyStoreResponse, error) {
	if r.GetKeyStorePassword() != "kmsPswd" || r.GetTrustAnchorCertificate() != "(anchor)\n" || r.GetCloudHsmClusterId() != "cluster-2wlvsyv7tgq" {
		return nil, refuse(codes.InvalidArgument, "IncorrectTrustAnchorException", "%d characters of password", len(r.GetKeyStorePassword()))
	}
	return &kmsv1.CreateCustomKeyStoreResponse{CustomKeyStoreId: new("cks-1")}, nil
}

func (k fakeKMS) DescribeCustomKeyStores(_ context.Context, r *kmsv1.DescribeCustomKeyStoresRequest) (*kmsv1.DescribeCustomKeyStoresResponse, error) {
	describe := func(id, name string) *kmsv1.CustomKeyStoresListEntry {
		state, code := k.stores.state(id)
		return &kmsv1.CustomKeyStoresListEntry{
			CustomKeyStoreId: &id, CustomKeyStoreName: &name, CloudHsmClusterId: new("cluster-2wlvsyv7tgq"),
			ConnectionState: &state, ConnectionErrorCode: code, CreationDate: fakeTime(),
		}
	}
	switch {
	case r.CustomKeyStoreId != nil:
		return &kmsv1.DescribeCustomKeyStoresResponse{
			CustomKeyStores: []*kmsv1.CustomKeyStoresListEntry{describe(r.GetCustomKeyStoreId(), "payroll")},
		}, checkStore(r.GetCustomKeyStoreId())
	case r.CustomKeyStoreName != nil:
		return &kmsv1.DescribeCustomKeyStoresResponse{CustomKeyStores: []*kmsv1.CustomKeyStoresListEntry{describe("cks-3", r.GetCustomKeyStoreName())}}, nil
	case r.Marker == nil:
		return &kmsv1.DescribeCustomKeyStoresResponse{
			CustomKeyStores: []*kmsv1.CustomKeyStoresListEntry{describe("cks-3", "payroll")}, Truncated: new(true), NextMarker: new("2"),
		}, nil
	default:
		return &kmsv1.DescribeCustomKeyStoresResponse{CustomKeyStores: []*kmsv1.CustomKeyStoresListEntry{describe("cks-4", "other")}}, nil
	}
}

func (k fakeKMS) ConnectCustomKeyStore(_ context.Context, r *kmsv1.ConnectCustomKeyStoreRequest) (*kmsv1.ConnectCustomKeyStoreResponse, error) {
	k.stores.mu.Lock()
	defer k.stores.mu.Unlock()
	k.stores.described[r.GetCustomKeyStoreId()] = 0
	return &kmsv1.ConnectCustomKeyStoreResponse{}, checkStore(r.GetCustomKeyStoreId())
}

func (k fakeKMS) DisconnectCustomKeyStore(_ context.Context, r *kmsv1.DisconnectCustomKeyStoreRequest) (*kmsv1.DisconnectCustomKeyStoreResponse, error) {
	k.stores.mu.Lock()
	defer k.stores.mu.Unlock()
	delete(k.stores.described, r.GetCustomKeyStoreId())
	return &kmsv1.DisconnectCustomKeyStoreResponse{}, checkStore(r.GetCustomKeyStoreId())
}

// UpdateCustomKeyStore answers with what it was asked, as an error: its answer is
// empty.
func (fakeKMS) UpdateCustomKeyStore(_ context.Context, r *kmsv1.UpdateCustomKeyStoreRequest) (*kmsv1.UpdateCustomKeyStoreResponse, error) {
	if r.GetNewCustomKeyStoreName() != "payroll-2027" {
		return nil, refuse(codes.FailedPrecondition, "CustomKeyStoreInvalidStateException",
			"name %v, %d characters of password, cluster %q", r.NewCustomKeyStoreName != nil, len(r.GetKeyStorePassword()), r.GetCloudHsmClusterId())
	}
	return &kmsv1.UpdateCustomKeyStoreResponse{}, checkStore(r.GetCustomKeyStoreId())
}

func (fakeKMS) DeleteCustomKeyStore(_ context.Context, r *kmsv1.DeleteCustomKeyStoreRequest) (*kmsv1.DeleteCustomKeyStoreResponse, error) {
	return &kmsv1.DeleteCustomKeyStoreResponse{}, checkStore(r.GetCustomKeyStoreId())
}
