package keystore

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// operation is one that changes something, and what it does to the world.
type operation struct {
	name string // of its event
	// do asks for it; nil: the service does it of itself at the time of now.
	do    func(*service, context.Context) error
	now   func() time.Time // nil: time.Now
	apply func(world)
	// prepare is done before it, and from is what that does to the world; nil: nothing.
	// when says in words what is so then.
	when    string
	prepare func(*service)
	from    func(world)
	// undone is what the event says if the operation was cut off and has not
	// taken effect.
	undone string
}

// operations are all that change something.
func operations() []operation {
	return slices.Concat(keyOperations(), importOperations(), accessOperations(), rotationOperations(), tagOperations(), aliasOperations(), directoryOperations(), accessKeyOperations(), auditKeyOperations(), storeOperations(), serviceOperations())
}

func keyOperations() []operation {
	return []operation{
		{name: "CreateKey", undone: undone,
			do: asks((*Keystore).CreateKey, func(*service) *kmsv1.CreateKeyRequest {
				return &kmsv1.CreateKeyRequest{Description: new("made")}
			}),
			apply: func(w world) { w.Keys["new"] = worldKey{State: enabled, Description: "made", Materials: 1} }},
		{name: "EnableKey", undone: noEffect,
			do: asks((*Keystore).EnableKey, func(s *service) *kmsv1.EnableKeyRequest {
				return &kmsv1.EnableKeyRequest{KeyId: s.named("disabled")}
			}),
			apply: func(w world) { w.set("disabled", func(k *worldKey) { k.State = enabled }) }},
		{name: "DisableKey", undone: noEffect,
			do: asks((*Keystore).DisableKey, func(s *service) *kmsv1.DisableKeyRequest {
				return &kmsv1.DisableKeyRequest{KeyId: s.named("target")}
			}),
			apply: func(w world) { w.set("target", func(k *worldKey) { k.State = disabled }) }},
		{name: "UpdateKeyDescription", undone: noEffect,
			do: asks((*Keystore).UpdateKeyDescription, func(s *service) *kmsv1.UpdateKeyDescriptionRequest {
				return &kmsv1.UpdateKeyDescriptionRequest{KeyId: s.named("target"), Description: new("other words")}
			}),
			apply: func(w world) { w.set("target", func(k *worldKey) { k.Description = "other words" }) }},
		{name: "ScheduleKeyDeletion", undone: noEffect,
			do: asks((*Keystore).ScheduleKeyDeletion, func(s *service) *kmsv1.ScheduleKeyDeletionRequest {
				return &kmsv1.ScheduleKeyDeletionRequest{KeyId: s.named("target"), PendingWindowInDays: new(int32(9))}
			}),
			apply: func(w world) { w.set("target", func(k *worldKey) { k.State, k.Window = pendingDeletion, 9 }) }},
		{name: "CancelKeyDeletion", undone: noEffect,
			do: asks((*Keystore).CancelKeyDeletion, func(s *service) *kmsv1.CancelKeyDeletionRequest {
				return &kmsv1.CancelKeyDeletionRequest{KeyId: s.named("doomed")}
			}),
			apply: func(w world) { w.set("doomed", func(k *worldKey) { k.State, k.Window = disabled, 0 }) }},
	}
}

// accessOperations change who may use a key.
func accessOperations() []operation {
	grants := func(n int) func(world) {
		return func(w world) { w.set("target", func(k *worldKey) { k.Grants += n }) }
	}
	return []operation{
		{name: "PutKeyPolicy", undone: noEffect,
			do: asks((*Keystore).PutKeyPolicy, func(s *service) *kmsv1.PutKeyPolicyRequest {
				return &kmsv1.PutKeyPolicyRequest{KeyId: s.named("target"), Policy: new(policyOf(root))}
			}),
			apply: func(w world) { w.set("target", func(k *worldKey) { k.Policy = policyOf(root) }) }},
		{name: "CreateGrant", undone: noEffect,
			do: asks((*Keystore).CreateGrant, func(s *service) *kmsv1.CreateGrantRequest {
				return &kmsv1.CreateGrantRequest{KeyId: s.named("target"), GranteePrincipal: new(app), Operations: []kmsv1.GrantOperation{kmsv1.GrantOperation_GRANT_OPERATION_ENCRYPT}}
			}),
			apply: grants(1)},
		{name: "RevokeGrant", undone: noEffect,
			do: asks((*Keystore).RevokeGrant, func(s *service) *kmsv1.RevokeGrantRequest {
				return &kmsv1.RevokeGrantRequest{KeyId: s.named("target"), GrantId: s.firstGrant("target").GrantId}
			}),
			apply: grants(-1)},
		{name: "RetireGrant", undone: noEffect,
			do: asks((*Keystore).RetireGrant, func(s *service) *kmsv1.RetireGrantRequest {
				return &kmsv1.RetireGrantRequest{GrantToken: s.firstGrant("target").GrantToken}
			}),
			apply: grants(-1)},
	}
}

// firstGrant is the first grant of the key with a description.
func (s *service) firstGrant(description string) *storagev1.GrantRecord {
	return s.view.grantsAfter(uuid.MustParse(*s.named(description)), "")[0].record
}

// policyOf is a key policy that allows one principal everything, and nobody else
// anything.
func policyOf(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"kms:*","Resource":"*"}]}`
}

func rotationOperations() []operation {
	return []operation{
		{name: "EnableKeyRotation", undone: noEffect,
			do: asks((*Keystore).EnableKeyRotation, func(s *service) *kmsv1.EnableKeyRotationRequest {
				return &kmsv1.EnableKeyRotationRequest{KeyId: s.named("target"), RotationPeriodInDays: new(int32(90))}
			}),
			apply: func(w world) { w.set("target", func(k *worldKey) { k.Rotation = 90 }) }},
		{name: "DisableKeyRotation", undone: noEffect,
			do: asks((*Keystore).DisableKeyRotation, func(s *service) *kmsv1.DisableKeyRotationRequest {
				return &kmsv1.DisableKeyRotationRequest{KeyId: s.named("bystander")}
			}),
			apply: func(w world) { w.set("bystander", func(k *worldKey) { k.Rotation = 0 }) }},
		{name: "RotateKeyOnDemand", undone: undone,
			do: asks((*Keystore).RotateKeyOnDemand, func(s *service) *kmsv1.RotateKeyOnDemandRequest {
				return &kmsv1.RotateKeyOnDemandRequest{KeyId: s.named("target")}
			}),
			apply: func(w world) { w.set("target", func(k *worldKey) { k.Materials++ }) }},
	}
}

func tagOperations() []operation {
	return []operation{
		{name: "TagResource", undone: noEffect,
			do: asks((*Keystore).TagResource, func(s *service) *kmsv1.TagResourceRequest {
				return &kmsv1.TagResourceRequest{KeyId: s.named("target"), Tags: tagsOf("one", "1")}
			}),
			apply: func(w world) { w.set("target", func(k *worldKey) { k.Tags = "one=1 " }) }},
		{name: "UntagResource", undone: noEffect,
			do: asks((*Keystore).UntagResource, func(s *service) *kmsv1.UntagResourceRequest {
				return &kmsv1.UntagResourceRequest{KeyId: s.named("bystander"), TagKeys: []string{"two"}}
			}),
			apply: func(w world) { w.set("bystander", func(k *worldKey) { k.Tags = "" }) }},
	}
}

func aliasOperations() []operation {
	return []operation{
		{name: "CreateAlias", undone: noEffect,
			do: asks((*Keystore).CreateAlias, func(s *service) *kmsv1.CreateAliasRequest {
				return &kmsv1.CreateAliasRequest{AliasName: new("alias/new"), TargetKeyId: s.named("target")}
			}),
			apply: func(w world) { w.Aliases["alias/new"] = "target" }},
		{name: "UpdateAlias", undone: noEffect,
			do: asks((*Keystore).UpdateAlias, func(s *service) *kmsv1.UpdateAliasRequest {
				return &kmsv1.UpdateAliasRequest{AliasName: new("alias/target"), TargetKeyId: s.named("bystander")}
			}),
			apply: func(w world) { w.Aliases["alias/target"] = "bystander" }},
		{name: "DeleteAlias", undone: noEffect,
			do: asks((*Keystore).DeleteAlias, func(*service) *kmsv1.DeleteAliasRequest {
				return &kmsv1.DeleteAliasRequest{AliasName: new("alias/target")}
			}),
			apply: func(w world) { delete(w.Aliases, "alias/target") }},
	}
}

// serviceOperations are what the service does of itself.
func serviceOperations() []operation {
	return []operation{
		{name: rotateKey, undone: undone,
			do:    func(s *service, ctx context.Context) error { return s.renewNow(ctx, s.named("target")) },
			apply: func(w world) { w.set("target", func(k *worldKey) { k.Materials++ }) }},
		{name: deleteKey, now: func() time.Time { return time.Now().Add(pastTheWindow) },
			apply: func(w world) {
				delete(w.Keys, "due")
				delete(w.Aliases, "alias/due")
				delete(w.Aliases, "alias/due/2")
			}},
	}
}

// asks makes an operation of a method and its request.
func asks[Req, Res any](method func(*Keystore, context.Context, Req) (Res, error), request func(*service) Req) func(*service, context.Context) error {
	return func(s *service, ctx context.Context) error {
		_, err := method(s.Keystore, ctx, request(s))
		return err
	}
}

// await waits until what the service does of itself is done.
func (op operation) await(s *service) {
	s.t.Helper()
	if op.do != nil {
		return
	}
	if id := s.named("due"); id != nil {
		s.awaitGone(*id)
	}
	s.must(s.atRest(s.t.Context(), func(context.Context) error { return nil }))
}

// named is the id of the key with a description, or nil.
func (s *service) named(description string) *string {
	keys, _ := s.view.page(uuid.Nil, 1000)
	for _, k := range keys {
		if k.record.GetDescription() == description {
			return k.record.KeyId
		}
	}
	return nil
}

// renewNow renews a key as if its material were worn out.
func (s *service) renewNow(ctx context.Context, keyID *string) error {
	id := uuid.MustParse(*keyID)
	c := s.meter.counter(s.view.get(id).current())
	c.next, c.reserved = s.meter.worn(), s.meter.worn()
	return s.renew(ctx, id)
}
