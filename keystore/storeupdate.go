package keystore

import (
	"context"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// onStore makes a check of a plan that looks at the first target's store alone.
func onStore(check func(*customStore) error) func([]target) error {
	return func(found []target) error { return check(found[0].store) }
}

// changeOfStore announces a change of the first target's store.
func changeOfStore(found []target) audit.Intent { return audit.Intent{ResourceARN: found[0].store.arn} }

// UpdateCustomKeyStore changes the name of a custom key store, or, of a
// disconnected one, the password and the cluster by which it is connected. The
// password of the user in the HSM is not changed.
func (k *Keystore) UpdateCustomKeyStore(ctx context.Context, req *kmsv1.UpdateCustomKeyStoreRequest) (*kmsv1.UpdateCustomKeyStoreResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_UpdateCustomKeyStore_FullMethodName, req, plan[*kmsv1.UpdateCustomKeyStoreResponse]{
		targets: func() []target { return []target{k.byStore(req.GetCustomKeyStoreId())(), k.allStores()} },
		check:   onStore(func(s *customStore) error { return k.storeUpdatable(s, req) }),
		change:  changeOfStore,
		run: func(ctx context.Context, p *proof) (*kmsv1.UpdateCustomKeyStoreResponse, error) {
			r := p.targets[0].store.copyRecord()
			if req.NewCustomKeyStoreName != nil {
				r.Name = req.NewCustomKeyStoreName
			}
			if req.CloudHsmClusterId != nil {
				r.ClusterId = req.CloudHsmClusterId
			}
			if req.KeyStorePassword != nil {
				if err := p.sealPassword(ctx, r, p.targets[0].store.arn, req.GetKeyStorePassword()); err != nil {
					return nil, err
				}
			}
			if _, err := k.writeStore(ctx, p, r, p.targets[0].store.revision); err != nil {
				return nil, err
			}
			return new(kmsv1.UpdateCustomKeyStoreResponse), nil
		},
	})
}

// storeUpdatable says whether a store may be changed as a request asks.
func (k *Keystore) storeUpdatable(s *customStore, req *kmsv1.UpdateCustomKeyStoreRequest) error {
	if err := refuseProxy(req); err != nil {
		return err
	}
	onlyName := req.KeyStorePassword == nil && req.CloudHsmClusterId == nil
	if onlyName && req.NewCustomKeyStoreName == nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "NewCustomKeyStoreName, KeyStorePassword or CloudHsmClusterId is required.")
	}
	if state := k.connectionState(s); state != disconnected && (!onlyName || state != connected) {
		return invalidStoreState(s, state)
	}
	if req.NewCustomKeyStoreName != nil {
		if other := k.view.storeNamed(req.GetNewCustomKeyStoreName()); other != nil && other.id != s.id {
			return nameInUse(req.GetNewCustomKeyStoreName())
		}
	}
	if req.CloudHsmClusterId != nil {
		return k.related(s, req.GetCloudHsmClusterId())
	}
	return nil
}

// related says whether a store may be of a cluster from now on: one with the trust
// anchor of its present one, that is a copy of it.
func (k *Keystore) related(s *customStore, cluster string) error {
	c := k.cluster(cluster)
	if c == nil {
		return noCluster(cluster)
	}
	if !sameCertificate(s.record.GetTrustAnchor(), c.TrustAnchor()) {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_RELATED,
			"The cluster %s does not have the trust anchor certificate of the custom key store %s.", cluster, s.id)
	}
	return enoughHSMs(c, c.HSMs())
}

// invalidStoreState refuses what the state of a store's connection does not allow.
// What FAILED and CONNECTED do not allow, a disconnected store does, or that is the
// way to it: the message says so.
func invalidStoreState(s *customStore, state kmsv1.ConnectionStateType) error {
	wayOut := ""
	if state == failed || state == connected {
		wayOut = " Disconnect it first."
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_INVALID_STATE,
		"The custom key store %s is %s, which is not valid for this operation.%s", s.id, describe.WireName(state), wayOut)
}

// DeleteCustomKeyStore forgets a disconnected custom key store that has no KMS
// keys, and destroys the key that sealed its password. The cluster stays as it is.
func (k *Keystore) DeleteCustomKeyStore(ctx context.Context, req *kmsv1.DeleteCustomKeyStoreRequest) (*kmsv1.DeleteCustomKeyStoreResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_DeleteCustomKeyStore_FullMethodName, req, plan[*kmsv1.DeleteCustomKeyStoreResponse]{
		targets: func() []target { return []target{k.byStore(req.GetCustomKeyStoreId())(), k.allStores()} },
		check:   onStore(k.storeDeletable),
		change: func(found []target) audit.Intent {
			return audit.Intent{ResourceARN: found[0].store.arn, BackingKeyID: found[0].store.sealing.String()}
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.DeleteCustomKeyStoreResponse, error) {
			if err := k.deleteStore(ctx, p, p.targets[0].store); err != nil {
				return nil, err
			}
			return new(kmsv1.DeleteCustomKeyStoreResponse), nil
		},
	})
}

func (k *Keystore) storeDeletable(s *customStore) error {
	if state := k.connectionState(s); state != disconnected {
		return invalidStoreState(s, state)
	}
	if n := k.view.keysIn(s.id); n > 0 {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_HAS_CMKS, "The custom key store %s still has KMS keys: %d.", s.id, n)
	}
	return nil
}

// deleteStore removes a store's record, after which nobody needs its sealing key:
// if that cannot be destroyed now, it is later.
func (k *Keystore) deleteStore(ctx context.Context, p *proof, s *customStore) error {
	path := k.scope.storePath(s.id)
	err := k.commit(ctx, p, metadata.Txn{Conditions: []metadata.Condition{{Key: path, Revision: s.revision}}, Deletes: []string{path}})
	if err != nil {
		return notStored(ctx, "custom key store "+s.id, err)
	}
	p.unsettled = true
	if _, err := p.destroy(ctx, s.sealing); err != nil {
		k.log.Warn("the key that sealed the password of a deleted custom key store could not be destroyed; it is tried again",
			"custom_key_store_id", s.id, "backing_key_id", s.sealing, "request_id", p.request, "error", err)
	}
	return nil
}
