package keystore

import (
	"context"

	"github.com/strongroom-kms/strongroom/keystore/publickey"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Sign signs a message, or its digest, with the private key in the HSM.
func (k *Keystore) Sign(ctx context.Context, req *kmsv1.SignRequest) (*kmsv1.SignResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_Sign_FullMethodName, req, plan[*kmsv1.SignResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(signable("Sign", req)),
		run: func(ctx context.Context, p *proof) (*kmsv1.SignResponse, error) {
			a := signatureAlgorithmOf(req.GetSigningAlgorithm())
			signature, err := p.sign(ctx, a.hsm, toSign(req, a))
			if err != nil {
				return nil, err
			}
			return &kmsv1.SignResponse{KeyId: &p.key.arn, Signature: signature, SigningAlgorithm: req.SigningAlgorithm}, nil
		},
	})
}

// Verify checks a signature with the public key that the HSM told when the key
// was made.
func (k *Keystore) Verify(ctx context.Context, req *kmsv1.VerifyRequest) (*kmsv1.VerifyResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_Verify_FullMethodName, req, plan[*kmsv1.VerifyResponse]{
		targets: on(k.byReference(req.GetKeyId())),
		check:   onKey(signable("Verify", req)),
		run: func(_ context.Context, p *proof) (*kmsv1.VerifyResponse, error) {
			a := signatureAlgorithmOf(req.GetSigningAlgorithm())
			valid, err := publickey.Verify(p.key.record.GetPublicKey(), a.hsm, toSign(req, a), req.GetSignature())
			if err != nil {
				return nil, err
			}
			if !valid {
				return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_SIGNATURE, "The signature is not that of the message under %s.", p.key.arn)
			}
			return &kmsv1.VerifyResponse{KeyId: &p.key.arn, SignatureValid: &valid, SigningAlgorithm: req.SigningAlgorithm}, nil
		},
	})
}

// toBeSigned is a request with a message that is, or was, signed.
type toBeSigned interface {
	GetMessage() []byte
	GetMessageType() kmsv1.MessageType
	GetSigningAlgorithm() kmsv1.SigningAlgorithmSpec
}

// signable checks that a key may sign, by the algorithm and the message of the
// request.
func signable(operation string, req toBeSigned) func(*key) error {
	return func(k *key) error {
		if err := usable(k, signVerify, operation); err != nil {
			return err
		}
		if err := offers(k, k.kind.signing, req.GetSigningAlgorithm()); err != nil {
			return err
		}
		return checkMessage(req)
	}
}

// checkMessage checks that an algorithm takes a message of that type and length.
func checkMessage(req toBeSigned) error {
	a := signatureAlgorithmOf(req.GetSigningAlgorithm())
	name := describe.WireName(req.GetSigningAlgorithm())
	isDigest := req.GetMessageType() == kmsv1.MessageType_MESSAGE_TYPE_DIGEST
	switch {
	case req.GetMessageType() == kmsv1.MessageType_MESSAGE_TYPE_EXTERNAL_MU, isDigest && !a.digest, !isDigest && !a.raw:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "MessageType %s is not valid for algorithm %s.", messageTypeName(req), name)
	case isDigest && len(req.GetMessage()) != a.hash.Size():
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "Digest is invalid length for algorithm %s.", name)
	}
	return nil
}

func messageTypeName(req toBeSigned) string {
	if t := req.GetMessageType(); t != kmsv1.MessageType_MESSAGE_TYPE_UNSPECIFIED {
		return describe.WireName(t)
	}
	return describe.WireName(kmsv1.MessageType_MESSAGE_TYPE_RAW)
}

// toSign is what the HSM signs: the digest of the message unless the message is
// one, or is signed as it is.
func toSign(req toBeSigned, a signatureAlgorithm) []byte {
	if req.GetMessageType() == kmsv1.MessageType_MESSAGE_TYPE_DIGEST || a.hash == 0 {
		return req.GetMessage()
	}
	h := a.hash.New()
	h.Write(req.GetMessage())
	return h.Sum(nil)
}
