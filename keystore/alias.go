package keystore

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// aliasPrefix begins every alias name.
const aliasPrefix = "alias/"

// alias is an alias as of one revision of the metadata. It never changes.
type alias struct {
	name     string // with aliasPrefix
	target   uuid.UUID
	record   *storagev1.AliasRecord
	revision uint64
}

// decodeAlias reads an alias's record from where it stands in the store.
func decodeAlias(s scope, e metadata.Entry) (*alias, error) {
	r := new(storagev1.AliasRecord)
	if err := decodeValue(e.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Key, err)
	}
	if !strings.HasPrefix(r.GetName(), aliasPrefix) || e.Key != s.aliasPath(r.GetName()) {
		return nil, fmt.Errorf("%s: the record there is that of %q", e.Key, r.GetName())
	}
	target, err := uuid.Parse(r.GetTargetKeyId())
	if err != nil {
		return nil, fmt.Errorf("%s: key id %q is not a UUID", e.Key, r.GetTargetKeyId())
	}
	return &alias{name: r.GetName(), target: target, record: r, revision: e.Revision}, nil
}

// entry describes the alias as ListAliases answers it.
func (a *alias) entry(s scope) *kmsv1.AliasListEntry {
	return &kmsv1.AliasListEntry{
		AliasName: &a.name, AliasArn: new(s.arn(a.name)), TargetKeyId: a.record.TargetKeyId,
		CreationDate: a.record.Created, LastUpdatedDate: a.record.Updated,
	}
}
