package keystore

import (
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// inStore finds the custom key store that a request is to be done in, if it names
// one.
func (k *Keystore) inStore(id *string) finder {
	if id == nil {
		return nil
	}
	return on(k.byStore(*id))
}

// storable checks what may be asked of a key in a custom key store: AWS has
// symmetric encryption keys there, and they are made there.
func storable(req *kmsv1.CreateKeyRequest) error {
	inStore := req.CustomKeyStoreId != nil
	switch spec, usage := specAndUsage(req); {
	case !inStore && originOf(req) == cloudHSM:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "CustomKeyStoreId is required for Origin AWS_CLOUDHSM.")
	case !inStore:
		return nil
	case originOf(req) != cloudHSM:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "CustomKeyStoreId is valid with Origin AWS_CLOUDHSM only.")
	case spec != kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT || usage != kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION,
			"A custom key store has keys of KeySpec SYMMETRIC_DEFAULT and KeyUsage ENCRYPT_DECRYPT only.")
	}
	return nil
}

// wanted says whether a custom key store is to be connected, whether it is or not, as
// just after a start.
func (k *Keystore) wanted(id string) bool {
	s := k.view.customStore(id)
	return s != nil && s.record.GetState() == connected
}

// connectionOf returns the connection of a custom key store, which must be
// connected.
func (k *Keystore) connectionOf(s *customStore) (*connection, error) {
	c, there := k.connections.Get(s.id)
	if !there {
		return nil, invalidStoreState(s, k.connectionState(s))
	}
	return c, nil
}

// storeReady says whether a key may be made in the custom key store that was
// found, if one was asked for.
func (k *Keystore) storeReady(found []target) error {
	if len(found) == 0 {
		return nil
	}
	c, err := k.connectionOf(found[0].store)
	if err != nil {
		return err
	}
	return enoughHSMs(c.cluster, c.active())
}

// storeConnected says whether the custom key store that was found, if one was asked
// for, is connected.
func (k *Keystore) storeConnected(found []target) error {
	if len(found) == 0 {
		return nil
	}
	_, err := k.connectionOf(found[0].store)
	return err
}
