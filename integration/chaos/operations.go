package chaos

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// operation is something that a client does in one step.
type operation func(*client, context.Context)

// operations are those of the load, with how often they are chosen.
func operations() []struct {
	weight int
	do     operation
} {
	return []struct {
		weight int
		do     operation
	}{
		{6, (*client).createKey}, {30, (*client).encrypt}, {30, (*client).decrypt}, {8, (*client).reEncrypt},
		{12, (*client).generateDataKey}, {4, (*client).generateHiddenDataKey}, {2, (*client).generateDataKeyPair},
		{14, (*client).sign}, {8, (*client).generateMAC}, {6, (*client).verifyMAC}, {2, (*client).getPublicKey},
		{3, (*client).disableKey}, {6, (*client).enableKey}, {2, (*client).rotateKey},
		{2, (*client).scheduleDeletion}, {4, (*client).cancelDeletion},
		{2, (*client).createAlias}, {2, (*client).updateAlias}, {1, (*client).deleteAlias},
		{2, (*client).listKeys}, {4, (*client).describeKey}, {4, (*client).generateRandom},
		{6, (*client).decryptAltered}, {3, (*client).decryptOutOfContext}, {2, (*client).verifyAltered},
		{2, (*client).verifyAlteredMAC}, {2, (*client).encryptUnknown}, {2, (*client).encryptBySigning},
	}
}

// choose draws the next operation. A client without keys makes one of each kind
// first.
func (c *client) choose() operation {
	total := 0
	for _, o := range operations() {
		total += o.weight
	}
	drawn := c.rng.IntN(total)
	if c.step <= len(firstKinds()) {
		return (*client).createKey
	}
	for _, o := range operations() {
		if drawn -= o.weight; drawn < 0 {
			return o.do
		}
	}
	return (*client).encrypt
}

// How many keys and aliases a client makes.
const (
	mostKeys    = 40
	mostAliases = 12
)

func firstKinds() []kind { return []kind{secret, curve, mac, stored} }

// drawKind is the kind of the next key. RSA keys are rare, since it takes a token most
// of a second to make one.
func (c *client) drawKind() kind {
	drawn := c.rng.IntN(20)
	if made := len(c.keys); made < len(firstKinds()) {
		return firstKinds()[made]
	}
	switch {
	case drawn < 8:
		return secret
	case drawn < 12:
		return stored
	case drawn < 15:
		return curve
	case drawn < 18:
		return mac
	case drawn < 19:
		return rsaSigning
	default:
		return rsaSealing
	}
}

// creating is the request that makes a key of a kind.
func (c *client) creating(k kind, mark string) *kmsv1.CreateKeyRequest {
	r := &kmsv1.CreateKeyRequest{Description: &mark}
	sign, seal := kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY.Enum(), kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT.Enum()
	switch k {
	case stored:
		r.CustomKeyStoreId, r.Origin = &c.store, kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM.Enum()
	case curve:
		r.KeySpec, r.KeyUsage = kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P256.Enum(), sign
	case mac:
		r.KeySpec, r.KeyUsage = kmsv1.KeySpec_KEY_SPEC_HMAC_256.Enum(), kmsv1.KeyUsageType_KEY_USAGE_TYPE_GENERATE_VERIFY_MAC.Enum()
	case rsaSigning:
		r.KeySpec, r.KeyUsage = kmsv1.KeySpec_KEY_SPEC_RSA_2048.Enum(), sign
	case rsaSealing:
		r.KeySpec, r.KeyUsage = kmsv1.KeySpec_KEY_SPEC_RSA_2048.Enum(), seal
	}
	return r
}

func (c *client) createKey(ctx context.Context) {
	k := &key{kind: c.drawKind(), states: []kmsv1.KeyState{enabled}}
	if len(c.keys) >= mostKeys {
		c.encrypt(ctx)
		return
	}
	mark := c.mark()
	k.made = c.ask(ctx, asking{operation: "CreateKey", kind: k.kind, mark: mark, wanted: []string{""}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.CreateKey(ctx, c.creating(k.kind, mark), o)
			k.arn = res.GetKeyMetadata().GetArn()
			return err
		})
	if k.made.succeeded() {
		c.keys = append(c.keys, k)
		c.history.addKey(k)
	}
}

// changing makes a request that puts a key into a state.
func (c *client) changing(ctx context.Context, name string, wanted func(*key) bool, ends func(*key) []string, to kmsv1.KeyState,
	call func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, arn *string, o grpc.CallOption) error,
) {
	k := pick(c.rng, c.keys, wanted)
	if k == nil {
		c.describeKey(ctx)
		return
	}
	r := c.ask(ctx, asking{operation: name, of: k, wanted: ends(k)},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			return call(ctx, kms, &k.arn, o)
		})
	k.became(r, to)
}

// whichever wants any one.
func whichever[T any](*T) bool { return true }

func (c *client) disableKey(ctx context.Context) {
	c.changing(ctx, "DisableKey", whichever, (*key).switching, disabled,
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, arn *string, o grpc.CallOption) error {
			_, err := kms.DisableKey(ctx, &kmsv1.DisableKeyRequest{KeyId: arn}, o)
			return err
		})
}

func (c *client) enableKey(ctx context.Context) {
	c.changing(ctx, "EnableKey", func(k *key) bool { return !k.is(enabled) }, (*key).switching, enabled,
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, arn *string, o grpc.CallOption) error {
			_, err := kms.EnableKey(ctx, &kmsv1.EnableKeyRequest{KeyId: arn}, o)
			return err
		})
}

func (c *client) scheduleDeletion(ctx context.Context) {
	c.changing(ctx, "ScheduleKeyDeletion", whichever, (*key).switching, doomed,
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, arn *string, o grpc.CallOption) error {
			_, err := kms.ScheduleKeyDeletion(ctx, &kmsv1.ScheduleKeyDeletionRequest{KeyId: arn}, o)
			return err
		})
}

func (c *client) cancelDeletion(ctx context.Context) {
	c.changing(ctx, "CancelKeyDeletion", func(k *key) bool { return slices.Contains(k.states, doomed) }, (*key).cancelling, disabled,
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, arn *string, o grpc.CallOption) error {
			_, err := kms.CancelKeyDeletion(ctx, &kmsv1.CancelKeyDeletionRequest{KeyId: arn}, o)
			return err
		})
}

// mostRotations keeps from the 25 that a key may have.
const mostRotations = 20

func (c *client) rotateKey(ctx context.Context) {
	k := pick(c.rng, c.keys, func(k *key) bool { return k.kind == secret && k.rotations < mostRotations })
	if k == nil {
		c.describeKey(ctx)
		return
	}
	k.rotations++
	c.ask(ctx, asking{operation: "RotateKeyOnDemand", of: k, wanted: k.using("")},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.RotateKeyOnDemand(ctx, &kmsv1.RotateKeyOnDemandRequest{KeyId: &k.arn}, o)
			return err
		})
}

// describeKey expects the key in a state that it may have.
func (c *client) describeKey(ctx context.Context) {
	k := pick(c.rng, c.keys, whichever)
	if k == nil {
		return
	}
	c.describe(ctx, k)
}

// describe returns the key's state; 0: it was not answered.
func (c *client) describe(ctx context.Context, k *key) kmsv1.KeyState {
	var state kmsv1.KeyState
	r := c.ask(ctx, asking{operation: "DescribeKey", of: k, wanted: []string{""}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &k.arn}, o)
			state = res.GetKeyMetadata().GetKeyState()
			return err
		})
	if !r.succeeded() {
		return 0
	}
	away := k.kind == stored && !r.Calm && state == kmsv1.KeyState_KEY_STATE_UNAVAILABLE
	if !away && !slices.Contains(k.states, state) {
		c.history.object("states", r, "the key is %v, want one of %v", state, k.states)
	}
	return state
}

// listKeys expects all keys that the client was told of.
func (c *client) listKeys(ctx context.Context) {
	listed := map[string]bool{}
	r := c.ask(ctx, asking{operation: "ListKeys", wanted: []string{""}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.ListKeys(ctx, &kmsv1.ListKeysRequest{Limit: new(int32(1000))}, o)
			for _, entry := range res.GetKeys() {
				listed[entry.GetKeyArn()] = true
			}
			return err
		})
	for _, k := range c.keys {
		if r.succeeded() && !listed[k.arn] {
			c.history.object("keys", r, "%s, made by %v, is not listed", k.arn, k.made)
		}
	}
}

func (c *client) generateRandom(ctx context.Context) {
	c.ask(ctx, asking{operation: "GenerateRandom", wanted: []string{""}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.GenerateRandom(ctx, &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(32))}, o)
			if err == nil && len(res.GetPlaintext()) != 32 {
				return fmt.Errorf("%d random bytes, want 32", len(res.GetPlaintext()))
			}
			return err
		})
}

// Changes of aliases. An alias is of the key's client.

func (c *client) createAlias(ctx context.Context) {
	k := pick(c.rng, c.keys, whichever)
	if k == nil || len(c.aliases) >= mostAliases {
		c.updateAlias(ctx)
		return
	}
	a := &alias{name: "alias/" + c.mark(), targets: []*key{nil}}
	r := c.ask(ctx, asking{operation: "CreateAlias", of: k, mark: a.name, wanted: k.switching()},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.CreateAlias(ctx, &kmsv1.CreateAliasRequest{AliasName: &a.name, TargetKeyId: &k.arn}, o)
			return err
		})
	if a.became(r, k); !slices.Equal(a.targets, []*key{nil}) {
		c.aliases = append(c.aliases, a)
		c.history.addAlias(a)
	}
}

// updateAlias moves an alias to another key of the same kind.
func (c *client) updateAlias(ctx context.Context) {
	a := pick(c.rng, c.aliases, func(a *alias) bool { return a.target() != nil })
	if a == nil {
		c.describeKey(ctx)
		return
	}
	k := pick(c.rng, c.keys, func(k *key) bool { return k.kind == a.target().kind })
	r := c.ask(ctx, asking{operation: "UpdateAlias", of: k, mark: a.name, wanted: k.switching()},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.UpdateAlias(ctx, &kmsv1.UpdateAliasRequest{AliasName: &a.name, TargetKeyId: &k.arn}, o)
			return err
		})
	a.became(r, k)
}

func (c *client) deleteAlias(ctx context.Context) {
	a := pick(c.rng, c.aliases, func(a *alias) bool { return a.target() != nil })
	if a == nil {
		c.describeKey(ctx)
		return
	}
	r := c.ask(ctx, asking{operation: "DeleteAlias", of: a.target(), name: a.name, mark: a.name, wanted: []string{""}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			_, err := kms.DeleteAlias(ctx, &kmsv1.DeleteAliasRequest{AliasName: &a.name}, o)
			return err
		})
	a.became(r, nil)
}
