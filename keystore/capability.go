package keystore

import (
	"context"

	"github.com/strongroom-kms/strongroom/hsmpool"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// describeHSMs answers the state of the HSMs and, if wanted, what those that take
// requests can do: one that does not is described all the same.
func describeHSMs(ctx context.Context, hsm HSM, capabilities bool) ([]*operatorv1.HsmDescription, error) {
	var all []*operatorv1.HsmDescription
	for _, s := range hsm.Describe() {
		d := describeHSM(s)
		if capabilities && s.State == hsmpool.Ready {
			can, err := hsm.Capabilities(ctx)
			if err != nil {
				return nil, err
			}
			d.Capabilities = describeCapabilities(can)
		}
		all = append(all, d)
	}
	return all, nil
}

func describeCapabilities(can []hsmpool.Capability) []*operatorv1.HsmCapability {
	all := make([]*operatorv1.HsmCapability, len(can))
	for i, c := range can {
		all[i] = &operatorv1.HsmCapability{
			KeyType: new(c.Type.String()), Algorithm: new(string(c.Algorithm)), Mechanism: stated(c.Mechanism),
			Means: stated(c.Means), Missing: stated(c.Missing),
		}
		if c.Use != 0 { // as a pair that is made and handed out has none
			all[i].Use = new(c.Use.String())
		}
	}
	return all
}

// stated is a field that is absent when there is nothing to say.
func stated(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
