package keystore

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// weighted is an operation, and how often it is done in relation to the others.
type weighted struct {
	weight int
	do     func()
}

// operations are those that the walk is made of.
func (w *walk) operations() []weighted {
	return slices.Concat([]weighted{
		{60, w.create},
		{120, w.enable},
		{60, w.disable},
		{70, w.scheduleDeletion},
		{60, w.cancelDeletion},
		{60, w.updateDescription},
		{70, w.nameKey},
		{50, w.renameKey},
		{30, w.deleteAlias},
		{130, w.encryptSecret},
		{50, w.generateDataKey},
		{110, w.decryptSecret},
		{50, w.reEncryptSecret},
		{20, w.describeKey},
		{20, w.listAliases},
		{10, w.renewMaterial},
		{18, w.wait},
		{12, w.restart},
	}, w.accessOperations(), w.materialOperations())
}

// step does one random operation.
func (w *walk) step() {
	w.t.Helper()
	total := 0
	for _, o := range w.operations() {
		total += o.weight
	}
	n := w.random.IntN(total)
	for _, o := range w.operations() {
		if n -= o.weight; n < 0 {
			o.do()
			return
		}
	}
}

// create makes a key, unless there are many.
func (w *walk) create() {
	if len(w.live()) >= maxModelKeys {
		w.updateDescription()
		return
	}
	w.createAnyway()
}

func (w *walk) createAnyway() {
	k := &modelKey{description: fmt.Sprint("made as ", w.random.Uint32()), state: enabled}
	req := &kmsv1.CreateKeyRequest{Description: &k.description}
	if w.chance(4) {
		req.Origin, k.external, k.state = external.Enum(), true, pendingImport
	}
	res, err := w.CreateKey(w.as(admin), req)
	w.said("CreateKey", k.description, err, ok)
	k.id, k.arn = res.GetKeyMetadata().GetKeyId(), res.GetKeyMetadata().GetArn()
	w.keys = append(w.keys, k)
}

func (w *walk) enable() {
	ref, k := w.referByID()
	_, err := w.EnableKey(w.as(admin), &kmsv1.EnableKeyRequest{KeyId: &ref})
	want := toSwitch.answer(k)
	w.said("EnableKey", ref, err, want)
	if want == ok {
		k.state = enabled
	}
}

func (w *walk) disable() {
	ref, k := w.referByID()
	_, err := w.DisableKey(w.as(admin), &kmsv1.DisableKeyRequest{KeyId: &ref})
	want := toSwitch.answer(k)
	w.said("DisableKey", ref, err, want)
	if want == ok {
		k.state = disabled
	}
}

func (w *walk) updateDescription() {
	ref, k := w.referByID()
	description := fmt.Sprint("described as ", w.random.Uint32())
	_, err := w.UpdateKeyDescription(w.as(admin), &kmsv1.UpdateKeyDescriptionRequest{KeyId: &ref, Description: &description})
	want := toDescribe.answer(k)
	w.said("UpdateKeyDescription", ref, err, want)
	if want == ok {
		k.description = description
	}
}

func (w *walk) scheduleDeletion() {
	ref, k := w.referByID()
	days, want := int32(6+w.random.IntN(26)), toSchedule.answer(k)
	if want != notFound && (days < 7 || days > 30) {
		want = invalid
	}
	res, err := w.ScheduleKeyDeletion(w.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: &ref, PendingWindowInDays: &days})
	w.said("ScheduleKeyDeletion", fmt.Sprint(ref, " in ", days, " days"), err, want)
	if want != ok {
		return
	}
	k.state, k.due = pendingDeletion, res.GetDeletionDate().AsTime()
	if early := w.clock.now().Add(time.Duration(days) * day).Sub(k.due); early < 0 || early > time.Minute {
		w.t.Errorf("the key %s is due %v too early", ref, early)
	}
}

func (w *walk) cancelDeletion() {
	ref, k := w.referByID()
	_, err := w.CancelKeyDeletion(w.as(admin), &kmsv1.CancelKeyDeletionRequest{KeyId: &ref})
	want := toCancel.answer(k)
	w.said("CancelKeyDeletion", ref, err, want)
	if want == ok {
		k.state, k.due = disabled, time.Time{}
		if k.external && !k.present {
			k.state = pendingImport
		}
	}
}

// nameKey creates an alias.
func (w *walk) nameKey() {
	name := w.aliasName()
	ref, k := w.referByID()
	want := toDescribe.answer(k)
	if w.model.named[name] != nil {
		want = exists
	}
	_, err := w.CreateAlias(w.as(admin), &kmsv1.CreateAliasRequest{AliasName: &name, TargetKeyId: &ref})
	w.said("CreateAlias", name+" of "+ref, err, want)
	if want == ok {
		w.model.named[name] = k
	}
}

// renameKey lets an alias name another key.
func (w *walk) renameKey() {
	name := w.aliasName()
	ref, k := w.referByID()
	want := toDescribe.answer(k)
	if w.model.named[name] == nil {
		want = notFound
	}
	_, err := w.UpdateAlias(w.as(admin), &kmsv1.UpdateAliasRequest{AliasName: &name, TargetKeyId: &ref})
	w.said("UpdateAlias", name+" of "+ref, err, want)
	if want == ok {
		w.model.named[name] = k
	}
}

func (w *walk) deleteAlias() {
	name := w.aliasName()
	_, err := w.DeleteAlias(w.as(admin), &kmsv1.DeleteAliasRequest{AliasName: &name})
	w.said("DeleteAlias", name, err, toKnow.answer(w.model.named[name]))
	delete(w.model.named, name)
}

func (w *walk) describeKey() {
	ref, k := w.refer()
	res, err := w.DescribeKey(w.as(admin), &kmsv1.DescribeKeyRequest{KeyId: &ref})
	want := toKnow.answer(k)
	w.said("DescribeKey", ref, err, want)
	if want == ok && res.GetKeyMetadata().GetKeyState() != k.state {
		w.t.Errorf("%s is %v, want %v", ref, res.GetKeyMetadata().GetKeyState(), k.state)
	}
}

// listAliases lists the aliases of one key.
func (w *walk) listAliases() {
	ref, k := w.referByID()
	res, err := w.ListAliases(w.as(admin), &kmsv1.ListAliasesRequest{KeyId: &ref})
	w.said("ListAliases", ref, err, toKnow.answer(k))
	var want, got []string
	for name, named := range w.model.named {
		if named == k {
			want = append(want, name)
		}
	}
	for _, a := range res.GetAliases() {
		got = append(got, a.GetAliasName())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("the aliases of %s (-model +service):\n%s", ref, diff)
	}
}

// renewMaterial gives a key new material, which nobody notices.
func (w *walk) renewMaterial() {
	live := w.live()
	if len(live) == 0 {
		return
	}
	k := live[w.random.IntN(len(live))]
	if k.external {
		return // nobody here has its material
	}
	w.said("renewal of", k.id, w.renewNow(w.t.Context(), &k.id), ok)
}

// wait lets some days pass.
func (w *walk) wait() {
	w.passDays()
	w.createAnyway() // a change, so that the service looks at the clock
	w.deleteDueOnes()
}

// restart restarts the service, sometimes days later.
func (w *walk) restart() {
	w.stop()
	if w.chance(3) {
		w.passDays()
	}
	w.start()
	w.note("restarted")
	w.deleteDueOnes()
}

func (w *walk) passDays() {
	days := 1 + w.random.IntN(12)
	w.clock.advance(time.Duration(days) * day)
	w.note("%d days pass", days)
}

// deleteDueOnes waits until the keys are deleted whose date has come, and
// forgets old ones.
func (w *walk) deleteDueOnes() {
	w.t.Helper()
	for _, k := range w.live() {
		if k.state != pendingDeletion || w.clock.now().Before(k.due) {
			continue
		}
		w.awaitGone(k.id)
		k.deleted = true
		w.note("%s is deleted", k.id)
		for name, named := range w.model.named {
			if named == k {
				delete(w.model.named, name)
			}
		}
	}
	if old := w.keys[:len(w.keys)/2]; len(w.keys) > 2*maxModelKeys {
		w.keys = append(slices.DeleteFunc(slices.Clone(old), func(k *modelKey) bool { return k.deleted }), w.keys[len(old):]...)
	}
}
