//go:build cgo

package worker

import (
	"testing"

	"github.com/miekg/pkcs11"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// TestForgottenHandleIsLookedUpAgain also shows that locating finds a key that the worker
// does not know, and that a key which is gone is missing and no reason to be replaced.
func TestForgottenHandleIsLookedUpAgain(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	id, obj := token.generate(t)
	forget := &workerv1.ForgetRequest{ObjectId: id[:]}
	locate := &workerv1.ToWorker{Request: &workerv1.ToWorker_Locate{Locate: &workerv1.LocateRequest{ObjectId: id[:]}}}
	before := token.objects.destructions()
	if f := token.objects.forgetKey(forget).GetFailure(); f != nil {
		t.Fatal(f)
	}
	if token.objects.known(id) != nil || obj.enter() || token.objects.destructions() == before {
		t.Error("the handle can still be used, or a list would miss the key")
	}
	if f := e.handle(locate).GetFailure(); f != nil {
		t.Errorf("locating a key that is there: %v", f)
	}
	if f := e.handle(sealRequest(id)).GetFailure(); f != nil || token.objects.kept(id) == nil {
		t.Errorf("sealing: %v", f)
	}
	token.objects.forgetKey(forget)
	if err := token.token.ctx.DestroyObject(token.manager.session, obj.handle); err != nil {
		t.Fatal(err)
	}
	for _, request := range []*workerv1.ToWorker{locate, sealRequest(id)} {
		f := e.handle(request).GetFailure()
		if f.GetClass() != workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING || f.GetRestart() {
			t.Errorf("%T of a key that is gone: %v", request.GetRequest(), f)
		}
	}
}

// TestAHandleInUseIsWaitedFor: neither a destruction nor forgetting is over while somebody
// uses the handle, and nobody begins to use it afterwards.
func TestAHandleInUseIsWaitedFor(t *testing.T) {
	for name, drop := range map[string]func(*objects, objectID){"destroy": (*objects).beginDestroy, "forget": (*objects).forget} {
		o := &objects{byID: map[objectID]*object{{1}: {handle: 1}}}
		obj := o.known(objectID{1})
		if !obj.enter() {
			t.Fatal("it cannot be used")
		}
		over := make(chan struct{})
		go func() {
			drop(o, objectID{1})
			close(over)
		}()
		for o.known(objectID{1}) != nil { // until it has begun
			select {
			case <-over:
				t.Fatalf("%s: over although the handle is in use", name)
			default:
			}
		}
		select {
		case <-over:
			t.Fatalf("%s: over although the handle is in use", name)
		default:
		}
		obj.leave()
		<-over
		if obj.enter() {
			t.Errorf("%s: the handle is used again", name)
		}
	}
}

// TestAdopting decides which of two findings of a key is used.
func TestAdopting(t *testing.T) {
	id := objectID{1}
	for _, test := range []struct {
		name  string
		have  pkcs11.ObjectHandle // 0: nothing is known
		found pkcs11.ObjectHandle
		dying bool
		want  pkcs11.ObjectHandle // 0: nothing
	}{
		{"new", 0, 7, false, 7},
		{"the same", 7, 7, false, 7},
		{"another handle", 6, 7, false, 7},
		{"just being destroyed", 0, 7, true, 0},
	} {
		o := &objects{byID: map[objectID]*object{}}
		old := &object{handle: test.have}
		if test.have != 0 {
			o.byID[id] = old
		}
		if test.dying {
			o.beginDestroy(id)
		}
		got := o.adopt(id, &object{handle: test.found})
		if got == nil && test.want != 0 || got != nil && got.handle != test.want {
			t.Errorf("%s: %+v", test.name, got)
		}
		if test.have == test.found && got != old {
			t.Errorf("%s: what was known of the key is lost", test.name)
		}
		if test.have != 0 && test.have != test.found && old.enter() {
			t.Errorf("%s: the old handle can be used", test.name)
		}
	}
}

func TestAffordable(t *testing.T) {
	for _, test := range []struct{ wanted, limit, want int }{
		{32, 0, 32}, {32, 1024, 32}, {8, 16, 8}, {32, 24, 17}, {4, 7, 1}, {1, 2, 1}, {16, 10, 4},
	} {
		if got := affordable(test.wanted, test.limit); got != test.want {
			t.Errorf("%d wanted of %d sessions: %d, want %d", test.wanted, test.limit, got, test.want)
		}
	}
}

// TestTwoKeysNeverShareAHandle has a library give the handle of a key that somebody else
// has destroyed to the next one, which is found or made here.
func TestTwoKeysNeverShareAHandle(t *testing.T) {
	for name, take := range map[string]func(*objects, objectID, *object){
		"found": func(o *objects, id objectID, obj *object) { o.adopt(id, obj) },
		"made":  (*objects).put,
	} {
		o := &objects{byID: map[objectID]*object{{1}: {handle: 7}, {2}: {handle: 8}}}
		old := o.known(objectID{1})
		take(o, objectID{3}, &object{handle: 7})
		if o.known(objectID{1}) != nil || old.enter() {
			t.Errorf("%s: the handle is still that of the old key, too", name)
		}
		if o.known(objectID{2}) == nil || o.known(objectID{3}).handle != 7 {
			t.Errorf("%s: the other keys are %v", name, o.byID)
		}
	}
}

// TestAClaimedHandleIsNobodyElses from the moment on in which the library has given it to a
// new key, which may yet turn out to be unfit.
func TestAClaimedHandleIsNobodyElses(t *testing.T) {
	o := &objects{byID: map[objectID]*object{{1}: {handle: 7}, {3}: {handle: 8}}}
	old := o.known(objectID{1})
	o.claim(objectID{3}, 7)
	if o.known(objectID{1}) != nil || old.enter() || o.known(objectID{3}).handle != 8 {
		t.Errorf("the keys are %v", o.byID)
	}
}
