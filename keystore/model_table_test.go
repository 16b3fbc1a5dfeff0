package keystore

import (
	"slices"
	"testing"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The kinds of answers that the model knows. The zero Kind is success.
const (
	ok         Kind = 0
	isDisabled      = annotationsv1.ErrorKind_ERROR_KIND_DISABLED
	wrongState      = annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE
	notFound        = annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND
	denied          = annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED
	exists          = annotationsv1.ErrorKind_ERROR_KIND_ALREADY_EXISTS
	invalid         = annotationsv1.ErrorKind_ERROR_KIND_VALIDATION
	otherKey        = annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_KEY
	garbled         = annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT
)

// row is what a sort of operations answers for a key in each state.
type row [8]Kind

// columns are the states in the order of the columns.
var columns = [8]kmsv1.KeyState{enabled, disabled, pendingDeletion, pendingReplicaDeletion, pendingImport, unavailable, creating, updating}

// The table of key states, as AWS documents it.
var (
	// Encrypt, Decrypt, ReEncrypt, GenerateDataKey
	toUse = row{ok, isDisabled, wrongState, wrongState, wrongState, wrongState, wrongState, ok}
	// EnableKey, DisableKey
	toSwitch = row{ok, ok, wrongState, wrongState, wrongState, ok, wrongState, wrongState}
	// UpdateKeyDescription, CreateAlias, UpdateAlias to the key
	toDescribe = row{ok, ok, wrongState, wrongState, ok, ok, ok, ok}
	toSchedule = row{ok, ok, wrongState, wrongState, ok, ok, ok, wrongState}
	// CancelKeyDeletion
	toCancel = row{wrongState, wrongState, ok, ok, wrongState, wrongState, wrongState, wrongState}
	// CreateGrant
	toGrant = row{ok, isDisabled, wrongState, wrongState, wrongState, ok, wrongState, ok}
	// RotateKeyOnDemand
	toRotate = row{ok, isDisabled, wrongState, wrongState, wrongState, wrongState, wrongState, ok}
	// GetParametersForImport, DeleteImportedKeyMaterial
	toImport = row{ok, ok, wrongState, wrongState, ok, ok, wrongState, wrongState}
	// DescribeKey, and DeleteAlias and UpdateAlias of an alias of the key
	toKnow = row{}
)

// in is the answer for a key in a state.
func (r row) in(s kmsv1.KeyState) Kind { return r[slices.Index(columns[:], s)] }

// TestKeyStates tries the states that no key gets into yet, too.
func TestKeyStates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		row   row
		check func(*key) error
	}{
		"use":      {toUse, func(k *key) error { return usable(k, k.record.GetKeyUsage(), "Encrypt") }},
		"switch":   {toSwitch, switchable},
		"describe": {toDescribe, describable},
		"schedule": {toSchedule, schedulable},
		"grant":    {toGrant, func(k *key) error { return grantable(k, new(kmsv1.CreateGrantRequest)) }},
		"cancel":   {toCancel, cancellable},
	} {
		t.Run(name, func(t *testing.T) {
			for _, state := range columns {
				k := &Keystore{scope: testScope}
				r := k.newKeyRecord(new(kmsv1.CreateKeyRequest))
				r.State = &state
				err := c.check(&key{record: r})
				if got := kindOf(err); got != c.row.in(state) {
					t.Errorf("%v: %v, want %v", state, err, c.row.in(state))
				}
			}
		})
	}
}

// kindOf is the kind of an answer.
func kindOf(err error) Kind {
	if err == nil {
		return ok
	}
	return AsError(err).Kind
}
