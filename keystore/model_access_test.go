package keystore

import (
	"fmt"
	"slices"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// maxModelGrants bounds those of a key.
const maxModelGrants = 5

// modelGrant is a grant to nobody, who may encrypt then, and nothing else.
type modelGrant struct{ id, token string }

func (k *modelKey) grantIDs() (ids []string) {
	for _, g := range k.grants {
		ids = append(ids, g.id)
	}
	slices.Sort(ids)
	return ids
}

// accessOperations are on what says who may use a key, and on tags.
func (w *walk) accessOperations() []weighted {
	return []weighted{
		{50, w.createGrant},
		{60, w.useGrant},
		{15, w.retireGrant},
		{15, w.revokeGrant},
		{30, w.putPolicy},
		{30, w.describeAsAnother},
		{30, w.tagKey},
		{20, w.untagKey},
	}
}

func (w *walk) createGrant() {
	ref, k := w.referByID()
	if k != nil && len(k.grants) >= maxModelGrants {
		return
	}
	res, err := w.CreateGrant(w.as(admin), &kmsv1.CreateGrantRequest{
		KeyId: &ref, GranteePrincipal: new(nobody), RetiringPrincipal: new(retirer), Operations: []kmsv1.GrantOperation{mayEncrypt},
	})
	want := toGrant.answer(k)
	w.said("CreateGrant", ref, err, want)
	if want == ok {
		k.grants = append(k.grants, modelGrant{res.GetGrantId(), res.GetGrantToken()})
	}
}

// useGrant encrypts as the grantee, which is denied everything without a grant.
func (w *walk) useGrant() {
	k := w.pick()
	if k == nil {
		return
	}
	want := denied
	if !k.deleted && len(k.grants) > 0 {
		want = toUse.answer(k)
	}
	_, err := w.Encrypt(w.as(nobody), &kmsv1.EncryptRequest{KeyId: &k.id, Plaintext: []byte("x")})
	w.said("Encrypt by the grantee", k.id, err, want)
}

// pickGrant is a grant of a key, with its place; false if there is none.
func (w *walk) pickGrant() (*modelKey, int, bool) {
	k := w.pick()
	if k == nil || k.deleted || len(k.grants) == 0 {
		return nil, 0, false
	}
	return k, w.random.IntN(len(k.grants)), true
}

func (w *walk) retireGrant() {
	k, i, picked := w.pickGrant()
	if !picked {
		return
	}
	retire := func() error {
		_, err := w.RetireGrant(w.as(retirer), &kmsv1.RetireGrantRequest{GrantToken: &k.grants[i].token})
		return err
	}
	w.said("RetireGrant", k.id, retire(), ok)
	w.said("RetireGrant", k.id+" again", retire(), denied)
	k.grants = slices.Delete(k.grants, i, i+1)
}

func (w *walk) revokeGrant() {
	k, i, picked := w.pickGrant()
	if !picked {
		return
	}
	req := &kmsv1.RevokeGrantRequest{KeyId: &k.id, GrantId: &k.grants[i].id}
	_, err := w.RevokeGrant(w.as(admin), req)
	w.said("RevokeGrant", k.id, err, ok)
	_, err = w.RevokeGrant(w.as(admin), req)
	w.said("RevokeGrant", k.id+" again", err, notFound)
	k.grants = slices.Delete(k.grants, i, i+1)
}

// listGrants lists the ids of a key's grants, two at a time.
func (w *walk) listGrants(id string) (ids []string) {
	w.t.Helper()
	req := &kmsv1.ListGrantsRequest{KeyId: &id, Limit: new(int32(2))}
	for {
		res, err := w.ListGrants(w.as(admin), req)
		w.must(err)
		ids = append(ids, idsOf(res.GetGrants())...)
		if !res.GetTruncated() {
			return ids
		}
		req.Marker = res.NextMarker
	}
}

// putPolicy lets another principal see a key, or not.
func (w *walk) putPolicy() {
	ref, k := w.referByID()
	shared, text := w.chance(2), policy.DefaultKeyPolicy(w.scope.account)
	if shared {
		text = fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:*","Resource":"*"},`+
			`{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:DescribeKey","Resource":"*"}]}`, root, second)
	}
	_, err := w.PutKeyPolicy(w.as(admin), &kmsv1.PutKeyPolicyRequest{KeyId: &ref, Policy: &text})
	want := toKnow.answer(k)
	w.said("PutKeyPolicy", ref, err, want)
	if want == ok {
		k.shared = shared
	}
}

// describeAsAnother asks as a principal that only key policies allow to.
func (w *walk) describeAsAnother() {
	k := w.pick()
	if k == nil {
		return
	}
	want := denied
	if k.shared && !k.deleted {
		want = ok
	}
	_, err := w.DescribeKey(w.as(second), &kmsv1.DescribeKeyRequest{KeyId: &k.id})
	w.said("DescribeKey by another", k.id, err, want)
}

func (w *walk) tagName() string { return fmt.Sprint("tag", w.random.IntN(4)) }

func (w *walk) tagKey() {
	ref, k := w.referByID()
	name, value := w.tagName(), fmt.Sprint(w.random.Uint32())
	want := toDescribe.answer(k)
	w.said("TagResource", ref, w.tag(&ref, tagsOf(name, value)...), want)
	if want != ok {
		return
	}
	if k.tags == nil {
		k.tags = map[string]string{}
	}
	k.tags[name] = value
}

func (w *walk) untagKey() {
	ref, k := w.referByID()
	name, want := w.tagName(), toDescribe.answer(k)
	w.said("UntagResource", ref, w.untag(&ref, name), want)
	if want == ok {
		delete(k.tags, name)
	}
}
