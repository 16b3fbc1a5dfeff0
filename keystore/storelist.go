package keystore

import (
	"context"
	"encoding/base64"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// storePage is how many custom key stores are answered when the request does not
// say.
const storePage = 10

// DescribeCustomKeyStores describes one custom key store, by its id or its name,
// or all of them in the order of their ids.
func (k *Keystore) DescribeCustomKeyStores(ctx context.Context, req *kmsv1.DescribeCustomKeyStoresRequest) (*kmsv1.DescribeCustomKeyStoresResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_DescribeCustomKeyStores_FullMethodName, req, plan[*kmsv1.DescribeCustomKeyStoresResponse]{
		run: func(context.Context, *proof) (*kmsv1.DescribeCustomKeyStoresResponse, error) {
			switch {
			case req.CustomKeyStoreId != nil && req.CustomKeyStoreName != nil:
				return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "CustomKeyStoreId and CustomKeyStoreName cannot be given together.")
			case req.CustomKeyStoreId != nil:
				return k.describeOne(k.view.customStore(req.GetCustomKeyStoreId()), req.GetCustomKeyStoreId())
			case req.CustomKeyStoreName != nil:
				return k.describeOne(k.view.storeNamed(req.GetCustomKeyStoreName()), req.GetCustomKeyStoreName())
			}
			return k.describeStores(req)
		},
	})
}

// describeOne answers the store that was asked for by an id or a name.
func (k *Keystore) describeOne(s *customStore, asked string) (*kmsv1.DescribeCustomKeyStoresResponse, error) {
	if s == nil {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND, "Custom key store %s does not exist.", asked)
	}
	return &kmsv1.DescribeCustomKeyStoresResponse{CustomKeyStores: []*kmsv1.CustomKeyStoresListEntry{k.describeStore(s)}, Truncated: new(false)}, nil
}

// describeStores answers a page; its marker is the last id, in base64.
func (k *Keystore) describeStores(req *kmsv1.DescribeCustomKeyStoresRequest) (*kmsv1.DescribeCustomKeyStoresResponse, error) {
	after, err := base64.RawURLEncoding.DecodeString(req.GetMarker())
	if err != nil {
		return nil, badMarker(req.GetMarker(), "DescribeCustomKeyStores")
	}
	limit, err := pageLimit(req.Limit, storePage, maxPage)
	if err != nil {
		return nil, err
	}
	stores, more := k.view.storePage(string(after), limit)
	res := &kmsv1.DescribeCustomKeyStoresResponse{Truncated: &more}
	for _, s := range stores {
		res.CustomKeyStores = append(res.CustomKeyStores, k.describeStore(s))
	}
	if more {
		res.NextMarker = new(base64.RawURLEncoding.EncodeToString([]byte(stores[len(stores)-1].id)))
	}
	return res, nil
}

func (k *Keystore) describeStore(s *customStore) *kmsv1.CustomKeyStoresListEntry {
	r, state := s.record, k.connectionState(s)
	e := &kmsv1.CustomKeyStoresListEntry{
		CustomKeyStoreId:       r.CustomKeyStoreId,
		CustomKeyStoreName:     r.Name,
		CloudHsmClusterId:      r.ClusterId,
		TrustAnchorCertificate: r.TrustAnchor,
		ConnectionState:        &state,
		CreationDate:           r.Created,
		CustomKeyStoreType:     kmsv1.CustomKeyStoreType_CUSTOM_KEY_STORE_TYPE_AWS_CLOUDHSM.Enum(),
	}
	if state == failed {
		e.ConnectionErrorCode = r.ErrorCode
	}
	return e
}
