package keystore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// CheckHsmUnlock looks at the PINs of HSMs that are stopped, and has them started again
// where their tokens allow a login.
func (o *operator) CheckHsmUnlock(ctx context.Context, req *operatorv1.CheckHsmUnlockRequest) (*operatorv1.CheckHsmUnlockResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_CheckHsmUnlock_FullMethodName, req, plan[*operatorv1.CheckHsmUnlockResponse]{
		run: func(ctx context.Context, p *proof) (*operatorv1.CheckHsmUnlockResponse, error) {
			checks, err := o.k.checkUnlock(ctx, p, req)
			if err != nil {
				return nil, err
			}
			if len(checks) == 0 && req.HsmId != nil {
				return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
					"There is no HSM %s here. That of a custom key store which is not connected is found by the id of the store.", req.GetHsmId())
			}
			return &operatorv1.CheckHsmUnlockResponse{Checks: checks}, nil
		},
	})
}

// checkUnlock looks at the HSMs that a request names.
func (k *Keystore) checkUnlock(ctx context.Context, p *proof, req *operatorv1.CheckHsmUnlockRequest) ([]*operatorv1.HsmUnlockCheck, error) {
	hsms := k.regions.hsms()
	if id := req.GetCustomKeyStoreId(); id != "" {
		c, connected := hsms[id]
		if !connected {
			return k.checkStoreUnlock(ctx, p, id, req.HsmId)
		}
		hsms = map[string]HSM{id: c}
	}
	var all []*operatorv1.HsmUnlockCheck
	for _, store := range slices.Sorted(maps.Keys(hsms)) {
		checks, err := hsms[store].CheckUnlock(ctx, req.GetHsmId())
		if err != nil {
			return nil, p.hsmError(ctx, err)
		}
		for _, c := range checks {
			all = append(all, describeCheck(c))
		}
	}
	return all, nil
}

// checkStoreUnlock looks at the HSMs of a custom key store that is not connected, most
// likely because its password was refused. They are started when the store is connected,
// all with the same password: one alone cannot be asked for.
func (k *Keystore) checkStoreUnlock(ctx context.Context, p *proof, id string, hsm *string) ([]*operatorv1.HsmUnlockCheck, error) {
	c := k.regions.clusterOf(id)
	if c == nil {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"There is no custom key store %s, or the configuration does not have its cluster.", id)
	}
	if hsm != nil {
		return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"The custom key store %s is not connected: all of its HSMs are looked at. Leave out the id of the HSM.", id)
	}
	checks, err := c.CheckUnlock(ctx)
	if err != nil {
		return nil, p.hsmError(ctx, err)
	}
	var all []*operatorv1.HsmUnlockCheck
	for _, c := range checks {
		if c.Allowed() {
			c.Reason = fmt.Sprintf("the custom key store is not connected: disconnect %s, then connect it", id)
		}
		all = append(all, describeCheck(c))
	}
	return all, nil
}

// clusterOf returns the cluster of a custom key store of any Region, or nil.
func (r *Regions) clusterOf(store string) Cluster {
	for _, k := range r.stores {
		if s := k.view.customStore(store); s != nil {
			return k.cluster(s.record.GetClusterId())
		}
	}
	return nil
}

func describeCheck(c hsmpool.UnlockCheck) *operatorv1.HsmUnlockCheck {
	d := &operatorv1.HsmUnlockCheck{
		HsmId: &c.HSMID, TokenLabel: &c.Token.Label, TokenSerial: &c.Token.Serial,
		PinState: new(c.PIN.String()), Started: &c.Started,
	}
	if c.Reason != "" {
		d.Reason = &c.Reason
	}
	return d
}
