package keystore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// maxStores is how many custom key stores a Region may have.
const maxStores = 10

// CreateCustomKeyStore makes a custom key store of a cluster of the configuration,
// which is not connected yet. As AWS it answers the id of a disconnected store that
// is the same in everything.
func (k *Keystore) CreateCustomKeyStore(ctx context.Context, req *kmsv1.CreateCustomKeyStoreRequest) (*kmsv1.CreateCustomKeyStoreResponse, error) {
	r := newStoreRecord(req)
	var same *customStore
	return perform(ctx, k, kmsv1.KeyManagementService_CreateCustomKeyStore_FullMethodName, req, plan[*kmsv1.CreateCustomKeyStoreResponse]{
		targets: on(k.allStores),
		check: func([]target) (err error) {
			same, err = k.storeCreatable(req)
			return err
		},
		change: func([]target) audit.Intent {
			return audit.Intent{ResourceARN: k.scope.storeARN(r.GetCustomKeyStoreId()), BackingKeyID: hsmpool.ObjectID(r.GetSealingKeyId()).String()}
		},
		run: func(ctx context.Context, p *proof) (*kmsv1.CreateCustomKeyStoreResponse, error) {
			if same != nil {
				if err := p.confirmPassword(ctx, same, req.GetKeyStorePassword()); err != nil {
					return nil, err
				}
				return &kmsv1.CreateCustomKeyStoreResponse{CustomKeyStoreId: &same.id}, nil
			}
			if err := k.createStore(ctx, p, r, req.GetKeyStorePassword()); err != nil {
				return nil, err
			}
			return &kmsv1.CreateCustomKeyStoreResponse{CustomKeyStoreId: r.CustomKeyStoreId}, nil
		},
	})
}

// newStoreRecord describes a new store, ids and all, before anything is made.
func newStoreRecord(req *kmsv1.CreateCustomKeyStoreRequest) *storagev1.CustomKeyStoreRecord {
	now := timestamppb.Now()
	return &storagev1.CustomKeyStoreRecord{
		CustomKeyStoreId: new(newStoreID()),
		Name:             new(req.GetCustomKeyStoreName()),
		ClusterId:        new(req.GetCloudHsmClusterId()),
		TrustAnchor:      new(req.GetTrustAnchorCertificate()),
		SealingKeyId:     newBackingKey(now).Id,
		Created:          now,
		State:            disconnected.Enum(),
	}
}

// newStoreID makes the id of a store: as AWS's, "cks-" and 17 hex digits.
func newStoreID() string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails, by its contract
	return "cks-" + hex.EncodeToString(b)[:17]
}

// storeCreatable says whether a store may be made, or returns the one that is the
// same as what is asked for, as far as that can be seen.
func (k *Keystore) storeCreatable(req *kmsv1.CreateCustomKeyStoreRequest) (same *customStore, err error) {
	if err := ofCluster(req); err != nil {
		return nil, err
	}
	cluster := k.cluster(req.GetCloudHsmClusterId())
	named := k.view.storeNamed(req.GetCustomKeyStoreName())
	if named != nil && k.sameStore(named, req) {
		return named, nil
	}
	switch {
	case named != nil:
		return nil, nameInUse(req.GetCustomKeyStoreName())
	case cluster == nil:
		return nil, noCluster(req.GetCloudHsmClusterId())
	case k.regions.storeOfCluster(cluster) != nil:
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_IN_USE,
			"The cluster %s, or one that is related to it, is that of another custom key store.", cluster.ID())
	case !sameCertificate(cluster.TrustAnchor(), req.GetTrustAnchorCertificate()):
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_TRUST_ANCHOR,
			"TrustAnchorCertificate is not the trust anchor certificate of the cluster %s.", cluster.ID())
	}
	if err := enoughHSMs(cluster, cluster.HSMs()); err != nil {
		return nil, err
	}
	if _, more := k.view.storePage("", maxStores-1); more {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED, "There are %d custom key stores already, and there may not be more.", maxStores)
	}
	return nil, nil
}

// ofCluster checks that a request is for a store of an HSM cluster, the only kind
// there is, and whole.
func ofCluster(req *kmsv1.CreateCustomKeyStoreRequest) error {
	if t := req.GetCustomKeyStoreType(); t == kmsv1.CustomKeyStoreType_CUSTOM_KEY_STORE_TYPE_EXTERNAL_KEY_STORE {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "CustomKeyStoreType EXTERNAL_KEY_STORE is not supported.")
	}
	if err := refuseProxy(req); err != nil {
		return err
	}
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"CloudHsmClusterId", req.CloudHsmClusterId != nil},
		{"KeyStorePassword", req.KeyStorePassword != nil},
		{"TrustAnchorCertificate", req.TrustAnchorCertificate != nil},
	} {
		if !member.given {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "%s is required for a custom key store of type AWS_CLOUDHSM.", member.name)
		}
	}
	return nil
}

// refuseProxy refuses the members of external key stores.
func refuseProxy(req interface {
	GetXksProxyUriEndpoint() string
	GetXksProxyUriPath() string
	GetXksProxyVpcEndpointServiceName() string
	GetXksProxyVpcEndpointServiceOwner() string
	GetXksProxyAuthenticationCredential() *kmsv1.XksProxyAuthenticationCredential
	GetXksProxyConnectivity() kmsv1.XksProxyConnectivityType
}) error {
	if req.GetXksProxyUriEndpoint() != "" || req.GetXksProxyUriPath() != "" || req.GetXksProxyVpcEndpointServiceName() != "" ||
		req.GetXksProxyVpcEndpointServiceOwner() != "" || req.GetXksProxyAuthenticationCredential() != nil || req.GetXksProxyConnectivity() != 0 {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "The XksProxy members are valid for external key stores only, which are not supported.")
	}
	return nil
}

// sameStore says whether a store is what a request asks for, but for the password.
func (k *Keystore) sameStore(s *customStore, req *kmsv1.CreateCustomKeyStoreRequest) bool {
	return k.connectionState(s) == disconnected && s.record.GetClusterId() == req.GetCloudHsmClusterId() &&
		sameCertificate(s.record.GetTrustAnchor(), req.GetTrustAnchorCertificate())
}

// createStore makes the key that seals the password, seals it and stores the
// record. When the record is certainly not stored the key is destroyed again.
func (k *Keystore) createStore(ctx context.Context, p *proof, r *storagev1.CustomKeyStoreRecord, password string) error {
	arn, id := k.scope.storeARN(r.GetCustomKeyStoreId()), hsmpool.ObjectID(r.GetSealingKeyId())
	if _, err := p.generate(ctx, id, arn, kind{typ: hsmpool.AES256, use: hsmpool.Encrypt}); err != nil {
		return err
	}
	err := p.sealPassword(ctx, r, arn, password)
	if err == nil {
		_, err = k.writeStore(ctx, p, r, 0)
	}
	if err == nil {
		p.unsettled = false
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	trace := p.trace
	_, undone := k.undoMaking(ctx, p, id, k.scope.storePath(r.GetCustomKeyStoreId()), new(storagev1.CustomKeyStoreRecord))
	p.trace = trace // the event is about what failed, not about the undoing
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "The custom key store could not be stored.").because(errors.Join(err, undone))
}

// writeStore writes a store's record in the name of the request and waits until
// the view shows it. It replaces the record of a revision, 0 if there is none.
func (k *Keystore) writeStore(ctx context.Context, p *proof, r *storagev1.CustomKeyStoreRecord, revision uint64) (*customStore, error) {
	r.ChangedBy = &p.request
	made, err := newStore(k.scope, r, 0)
	if err != nil {
		return nil, fmt.Errorf("checking the record of %s: %w", r.GetCustomKeyStoreId(), err)
	}
	made.revision, err = replaceValue(ctx, k.store, k.scope.storePath(made.id), r, revision)
	if err != nil {
		return nil, notStored(ctx, "custom key store "+made.id, err)
	}
	p.revision = made.revision
	k.reach(ctx, made.revision)
	return made, nil
}

// cluster returns a cluster of the configuration, or nil.
func (k *Keystore) cluster(id string) Cluster {
	for _, c := range k.clusters {
		if c.ID() == id {
			return c
		}
	}
	return nil
}

// storeOfCluster returns the custom key store, of any Region, that is made of a
// cluster or of one that is related to it, or nil.
func (r *Regions) storeOfCluster(c Cluster) *customStore {
	for _, k := range r.stores {
		stores, _ := k.view.storePage("", maxStores)
		for _, s := range stores {
			if s.record.GetClusterId() == c.ID() || sameCertificate(s.record.GetTrustAnchor(), c.TrustAnchor()) {
				return s
			}
		}
	}
	return nil
}

// sameCertificate says whether two PEM texts hold the same certificate. What holds
// none is not the same as anything.
func sameCertificate(a, b string) bool {
	x, _ := pem.Decode([]byte(a))
	y, _ := pem.Decode([]byte(b))
	return x != nil && y != nil && x.Type == "CERTIFICATE" && y.Type == x.Type && string(x.Bytes) == string(y.Bytes)
}

// enoughHSMs says whether a cluster with so many active HSMs may have a key store
// or a key made.
func enoughHSMs(c Cluster, active int) error {
	if active >= c.MinActive() {
		return nil
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION,
		"The cluster %s has %d active HSMs, and needs %d (min_active_hsms).", c.ID(), active, c.MinActive())
}

func nameInUse(name string) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NAME_IN_USE, "Another custom key store has the name %s.", name)
}

func noCluster(id string) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_FOUND, "The configuration has no cluster %s.", id)
}
