package keystore

import (
	"context"
	"errors"

	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// outOfTime is the error of a request that was given up while it waited.
func outOfTime(ctx context.Context, on string) *Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ABORTED, "The request was cancelled by its caller.")
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT, "%s did not answer in time.", on)
}

// hsmError turns what the HSM answered into what the caller hears. The cause,
// with the C_ function, the token and the CKR code, stays with the error for
// the operator's log.
func (p *proof) hsmError(ctx context.Context, err error) error {
	var e *hsmpool.Error
	if !errors.As(err, &e) {
		return err
	}
	subject := "The HSM"
	if p.using != nil {
		subject = "The HSM of key " + p.using.arn
	}
	if e.Class == hsmpool.Timeout && ctx.Err() != nil {
		return outOfTime(ctx, subject).because(err)
	}
	if p.storeID() != "" {
		if failed := p.storeError(e); failed != nil {
			return failed.because(err)
		}
	}
	switch e.Class {
	case hsmpool.ObjectMissing:
		p.k.log.Error("a key's material is not in the token; restore it from the token's backup",
			"what", subject, "backing_key_id", p.material, "request_id", p.request, "error", err)
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE,
			"%s does not have its key material %s.", subject, materialID(p.material)).because(err)
	case hsmpool.Busy:
		if p.storeID() != "" {
			return tooFast().because(err)
		}
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_THROTTLING,
			"%s has as many requests as it takes at the same time. Try again later.", subject).because(err)
	case hsmpool.Timeout:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT, "%s did not answer in time.", subject).because(err)
	case hsmpool.Unavailable, hsmpool.Operator:
		if p.using == nil {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "%s is not available.", subject).because(err)
		}
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KEY_UNAVAILABLE, "%s is not available.", subject).because(err)
	case hsmpool.Unsupported:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "%s cannot do this: %v.", subject, e.Err).because(err)
	default:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL, "%s failed.", subject).because(err)
	}
}

// tooFast is the error of a request that is too much for a custom key store, in AWS's
// words.
func tooFast() *Error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_THROTTLING,
		"You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
}
