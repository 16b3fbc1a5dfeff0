package keystore

import (
	"context"
	"crypto/hmac"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// GenerateMac makes the HMAC of a message with a key in the HSM.
func (k *Keystore) GenerateMac(ctx context.Context, req *kmsv1.GenerateMacRequest) (*kmsv1.GenerateMacResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_GenerateMac_FullMethodName, req, plan[*kmsv1.GenerateMacResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(macable("GenerateMac", req.GetMacAlgorithm())),
		run: func(ctx context.Context, p *proof) (*kmsv1.GenerateMacResponse, error) {
			mac, err := p.mac(ctx, macOf(req.GetMacAlgorithm()), req.GetMessage())
			if err != nil {
				return nil, err
			}
			return &kmsv1.GenerateMacResponse{KeyId: &p.key.arn, Mac: mac, MacAlgorithm: req.MacAlgorithm}, nil
		},
	})
}

// VerifyMac makes the HMAC again and compares, in a time that does not tell how
// much of it is right.
func (k *Keystore) VerifyMac(ctx context.Context, req *kmsv1.VerifyMacRequest) (*kmsv1.VerifyMacResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_VerifyMac_FullMethodName, req, plan[*kmsv1.VerifyMacResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(macable("VerifyMac", req.GetMacAlgorithm())),
		run: func(ctx context.Context, p *proof) (*kmsv1.VerifyMacResponse, error) {
			mac, err := p.mac(ctx, macOf(req.GetMacAlgorithm()), req.GetMessage())
			if err != nil {
				return nil, err
			}
			defer clear(mac)
			if !hmac.Equal(mac, req.GetMac()) {
				return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_MAC, "The MAC is not that of the message under %s.", p.key.arn)
			}
			return &kmsv1.VerifyMacResponse{KeyId: &p.key.arn, MacValid: new(true), MacAlgorithm: req.MacAlgorithm}, nil
		},
	})
}

// macable checks that a key makes MACs by an algorithm.
func macable(operation string, a kmsv1.MacAlgorithmSpec) func(*key) error {
	return func(k *key) error {
		if err := usable(k, generateVerifyMac, operation); err != nil {
			return err
		}
		return offers(k, k.kind.mac, a)
	}
}
