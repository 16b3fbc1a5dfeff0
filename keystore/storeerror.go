package keystore

import (
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// placed returns a key as its custom key store makes it: with the store's cluster,
// and unavailable while the store is not connected. A key of the default store, or
// none, is returned as it is.
func (k *Keystore) placed(of *key) *key {
	if of == nil || of.store() == "" {
		return of
	}
	at := *of
	_, there := k.connections.Get(of.store())
	at.away = !there
	if s := k.view.customStore(of.store()); s != nil {
		at.cluster = s.record.GetClusterId()
	}
	return &at
}

// notConnected is the error of work in a custom key store that is not connected.
func (p *proof) notConnected() *Error {
	if p.using != nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE, "%s is unavailable.", p.using.arn)
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_INVALID_STATE, "The custom key store %s is not connected.", p.store)
}

// storeError is what the caller hears of an HSM of a custom key store that cannot
// be used, as AWS says it; nil for other failures. A store that was disconnected
// meanwhile is the reason, whatever its HSM answered.
func (p *proof) storeError(e *hsmpool.Error) *Error {
	switch e.Class {
	case hsmpool.Unavailable, hsmpool.Operator, hsmpool.Timeout, hsmpool.Internal:
	default:
		return nil
	}
	if _, there := p.k.connections.Get(p.storeID()); !there {
		return p.notConnected()
	}
	kind := annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE
	if p.using == nil {
		kind = annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_INVALID_STATE
	}
	const repair = "Disconnect the custom key store, reset the password of the user, update the custom key store with it, and connect it again."
	switch ckr.RV(e.RV) {
	case ckr.PINLocked:
		return errorf(kind, "KMS cannot communicate with your CloudHSM cluster because the kmsuser is locked out. "+repair)
	case ckr.PINIncorrect, ckr.PINInvalid, ckr.PINLenRange, ckr.PINExpired:
		return errorf(kind, "KMS cannot communicate with your CloudHSM cluster because the password of the kmsuser is not right any more. "+repair)
	}
	return errorf(kind, "KMS cannot communicate with your CloudHSM cluster. This might be a transient network issue. Try again; "+
		"if it goes on, see that the HSMs of the cluster are active.")
}
