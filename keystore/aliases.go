package keystore

import (
	"context"
	"encoding/base64"
	"regexp"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	// maxAliases is how many aliases a key may have.
	maxAliases = 50
	// reservedAliases begin the names of AWS managed keys.
	reservedAliases = aliasPrefix + "aws/"
	// defaultAliasPage and maxAliasPage are how many aliases ListAliases answers.
	defaultAliasPage = 50
	maxAliasPage     = 100
)

// newAliasPattern is what a new alias may be called; the model lets colons pass.
var newAliasPattern = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)

// CreateAlias gives a key one more name.
func (k *Keystore) CreateAlias(ctx context.Context, req *kmsv1.CreateAliasRequest) (*kmsv1.CreateAliasResponse, error) {
	find := k.byKeyID(req.GetTargetKeyId())
	return perform(ctx, k, kmsv1.KeyManagementService_CreateAlias_FullMethodName, req, plan[*kmsv1.CreateAliasResponse]{
		targets: func() []target { return []target{k.newAliasTarget(req.GetAliasName()), find()} },
		check:   func(found []target) error { return k.nameable(found[1].key, nil) },
		change:  aliasIntent(req.GetAliasName(), 1),
		run: func(ctx context.Context, p *proof) (*kmsv1.CreateAliasResponse, error) {
			now := timestamppb.Now()
			return new(kmsv1.CreateAliasResponse), k.storeAlias(ctx, p, nil, p.targets[1].key, &storagev1.AliasRecord{
				Name: req.AliasName, TargetKeyId: p.targets[1].key.record.KeyId, Created: now, Updated: now,
			})
		},
	})
}

// UpdateAlias lets an alias name another key.
func (k *Keystore) UpdateAlias(ctx context.Context, req *kmsv1.UpdateAliasRequest) (*kmsv1.UpdateAliasResponse, error) {
	find := k.byKeyID(req.GetTargetKeyId())
	return perform(ctx, k, kmsv1.KeyManagementService_UpdateAlias_FullMethodName, req, plan[*kmsv1.UpdateAliasResponse]{
		targets: func() []target { return append(k.aliasTargets(req.GetAliasName()), find()) },
		check:   func(found []target) error { return k.nameable(found[2].key, found[0].alias) },
		change:  aliasIntent(req.GetAliasName(), 2),
		run: func(ctx context.Context, p *proof) (*kmsv1.UpdateAliasResponse, error) {
			old := p.targets[0].alias
			r := proto.CloneOf(old.record)
			r.TargetKeyId, r.Updated = p.targets[2].key.record.KeyId, timestamppb.Now()
			return new(kmsv1.UpdateAliasResponse), k.storeAlias(ctx, p, old, p.targets[2].key, r)
		},
	})
}

// DeleteAlias removes an alias, whatever the state of its key.
func (k *Keystore) DeleteAlias(ctx context.Context, req *kmsv1.DeleteAliasRequest) (*kmsv1.DeleteAliasResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_DeleteAlias_FullMethodName, req, plan[*kmsv1.DeleteAliasResponse]{
		targets: func() []target { return k.aliasTargets(req.GetAliasName()) },
		change:  aliasIntent(req.GetAliasName(), 1),
		run: func(ctx context.Context, p *proof) (*kmsv1.DeleteAliasResponse, error) {
			a := p.targets[0].alias
			path := k.scope.aliasPath(a.name)
			err := k.commit(ctx, p, metadata.Txn{Conditions: []metadata.Condition{{Key: path, Revision: a.revision}}, Deletes: []string{path}})
			if err != nil {
				return nil, notStored(ctx, "alias "+a.name, err)
			}
			return new(kmsv1.DeleteAliasResponse), nil
		},
	})
}

// ListAliases lists aliases in the order of their names.
func (k *Keystore) ListAliases(ctx context.Context, req *kmsv1.ListAliasesRequest) (*kmsv1.ListAliasesResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ListAliases_FullMethodName, req, plan[*kmsv1.ListAliasesResponse]{
		run: func(context.Context, *proof) (*kmsv1.ListAliasesResponse, error) {
			of, after, limit, err := k.aliasPageOf(req)
			if err != nil {
				return nil, err
			}
			return k.aliasPageAnswer(k.view.aliasPage(of, after, limit)), nil
		},
	})
}

// aliasPageOf reads which aliases a ListAliases request asks for.
func (k *Keystore) aliasPageOf(req *kmsv1.ListAliasesRequest) (of uuid.UUID, after string, limit int, err error) {
	if limit, err = pageLimit(req.Limit, defaultAliasPage, maxAliasPage); err != nil {
		return uuid.Nil, "", 0, err
	}
	if req.KeyId != nil {
		t := k.byKeyID(req.GetKeyId())()
		if t.err != nil {
			return uuid.Nil, "", 0, t.err
		}
		of = t.key.id
	}
	name, err := base64.RawURLEncoding.DecodeString(req.GetMarker())
	if err != nil || len(name) > 0 && !strings.HasPrefix(string(name), aliasPrefix) {
		return uuid.Nil, "", 0, badMarker(req.GetMarker(), "ListAliases")
	}
	return of, string(name), limit, nil
}

// aliasPageAnswer answers a page; its marker is the name of the last alias, in
// base64.
func (k *Keystore) aliasPageAnswer(aliases []*alias, more bool) *kmsv1.ListAliasesResponse {
	res := &kmsv1.ListAliasesResponse{Truncated: &more}
	for _, a := range aliases {
		res.Aliases = append(res.Aliases, a.entry(k.scope))
	}
	if more {
		last := aliases[len(aliases)-1].name
		res.NextMarker = new(base64.RawURLEncoding.EncodeToString([]byte(last)))
	}
	return res
}

// newAliasTarget is an alias that must not exist yet, and may.
func (k *Keystore) newAliasTarget(name string) target {
	t := target{isAlias: true, resource: k.scope.arn(name), path: k.scope.aliasPath(name)}
	switch {
	case !strings.HasPrefix(name, aliasPrefix):
		t = target{resource: "*", err: errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, `Alias must start with the prefix "alias/".`)}
	case strings.HasPrefix(name, reservedAliases):
		t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_ALIAS_NAME, "Alias %s is reserved: the prefix %s is that of AWS managed keys.", name, reservedAliases)
	case !newAliasPattern.MatchString(name):
		t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_ALIAS_NAME, "Alias %s is empty after its prefix, or has characters that an alias cannot have.", name)
	case k.view.alias(name) != nil:
		t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_ALREADY_EXISTS, "An alias with the name %s already exists", t.resource)
	}
	return t
}

// aliasTargets are an alias and its key, if there is such an alias.
func (k *Keystore) aliasTargets(name string) []target {
	t := k.aliasTarget(name)
	if t.alias == nil {
		return []target{t}
	}
	of := k.keyTarget(t.alias.target)
	of.err = nil // an alias can be removed or changed whatever has become of its key
	return []target{t, of}
}

// nameable says whether a key may get one more alias, which is a new one or
// names another key so far.
func (k *Keystore) nameable(key *key, from *alias) error {
	if err := describable(key); err != nil {
		return err
	}
	if from != nil && from.target == key.id {
		return nil
	}
	if k.view.aliasesOf(key.id) >= maxAliases {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED, "Key %s has %d aliases, and may not have more.", key.arn, maxAliases)
	}
	return nil
}

// aliasIntent announces the change of an alias of the key at a place among the
// targets.
func aliasIntent(name string, key int) func([]target) audit.Intent {
	return func(found []target) audit.Intent {
		return audit.Intent{KeyARN: found[key].resource, AliasName: name}
	}
}
