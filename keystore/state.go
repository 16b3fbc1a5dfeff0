package keystore

import (
	"slices"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The states of a KMS key and what they refuse, as the table "Key states of AWS
// KMS keys" of the AWS KMS Developer Guide has it.
const (
	creating               = kmsv1.KeyState_KEY_STATE_CREATING
	enabled                = kmsv1.KeyState_KEY_STATE_ENABLED
	disabled               = kmsv1.KeyState_KEY_STATE_DISABLED
	pendingDeletion        = kmsv1.KeyState_KEY_STATE_PENDING_DELETION
	pendingReplicaDeletion = kmsv1.KeyState_KEY_STATE_PENDING_REPLICA_DELETION
	pendingImport          = kmsv1.KeyState_KEY_STATE_PENDING_IMPORT
	unavailable            = kmsv1.KeyState_KEY_STATE_UNAVAILABLE
	updating               = kmsv1.KeyState_KEY_STATE_UPDATING
)

// usable says whether a key may be used for a cryptographic operation.
func usable(k *key, usage kmsv1.KeyUsageType, operation string) error {
	if k.record.GetKeyUsage() != usage {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE,
			"%s key usage is %s which is not valid for %s.", k.arn, describe.WireName(k.record.GetKeyUsage()), operation)
	}
	if err := refuseDisabled(k); err != nil {
		return err
	}
	return refuseIn(k, creating, pendingDeletion, pendingReplicaDeletion, pendingImport, unavailable)
}

// switchable says whether a key may be enabled or disabled.
func switchable(k *key) error {
	return refuseIn(k, creating, pendingDeletion, pendingReplicaDeletion, pendingImport, updating)
}

// describable says whether a key may get another description or a new alias.
func describable(k *key) error {
	return refuseIn(k, pendingDeletion, pendingReplicaDeletion)
}

// schedulable says whether a key's deletion may be scheduled.
func schedulable(k *key) error {
	return refuseIn(k, pendingDeletion, pendingReplicaDeletion, updating)
}

// cancellable says whether a key's deletion may be cancelled: not once some of
// its material may have been destroyed.
func cancellable(k *key) error {
	switch k.state() {
	case pendingDeletion, pendingReplicaDeletion:
	default:
		return invalidState("%s is not pending deletion.", k.arn)
	}
	if k.record.DeletionStarted != nil {
		return invalidState("%s is being deleted, which cannot be cancelled any more.", k.arn)
	}
	return nil
}

// refuseDisabled refuses a disabled key, which has an error of its own.
func refuseDisabled(k *key) error {
	if k.state() == disabled {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_DISABLED, "%s is disabled.", k.arn)
	}
	return nil
}

// refuseIn refuses a key in one of the states.
func refuseIn(k *key, states ...kmsv1.KeyState) error {
	if s := k.state(); slices.Contains(states, s) {
		return invalidState("%s is %s.", k.arn, stateInWords(s))
	}
	return nil
}

func invalidState(format string, args ...any) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE, format, args...)
}

// stateInWords is a key state as AWS's messages name it.
func stateInWords(s kmsv1.KeyState) string {
	switch s {
	case enabled:
		return "enabled"
	case disabled:
		return "disabled"
	case creating:
		return "creating"
	case pendingDeletion:
		return "pending deletion"
	case pendingReplicaDeletion:
		return "pending replica deletion"
	case pendingImport:
		return "pending import"
	case unavailable:
		return "unavailable"
	case updating:
		return "updating"
	default:
		return "in an unknown state"
	}
}
