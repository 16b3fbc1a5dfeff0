package faultp11_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// The log has every call as it was answered.
func TestLog(t *testing.T) {
	token := newToken(t)
	before := len(calls(t))
	session := token.user()
	key := token.key(session, "key")
	set(t, faultp11.Fail("C_DestroyObject", ckr.DeviceError).Times(1))
	wantRV(t, "C_DestroyObject", token.DestroyObject(session, key), ckr.DeviceError)
	token.must(token.DestroyObject(session, key))
	var got []faultp11.Call
	for _, c := range calls(t)[before:] {
		if c.PID != syscall.Getpid() || time.Since(c.Time) > time.Minute {
			t.Errorf("%s of process %d, %v", c.Function, c.PID, c.Time)
		}
		c.PID, c.Time = 0, time.Time{}
		got = append(got, c)
	}
	const none = faultp11.NoMechanism
	s, k := uint64(session), uint64(key)
	want := []faultp11.Call{
		{Function: "C_OpenSession", Mechanism: none},
		{Function: "C_Login", Session: s, Mechanism: none},
		{Function: "C_GenerateKey", Session: s, Object: k, Mechanism: pkcs11.CKM_AES_KEY_GEN},
		{Function: "C_DestroyObject", Session: s, Object: k, Mechanism: none, RV: ckr.DeviceError, Remarks: []string{"struck"}},
		{Function: "C_DestroyObject", Session: s, Object: k, Mechanism: none},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// A call that only asks how long its result is, is told apart also when a fault strikes it.
func TestTheLogTellsWhoAsksForALength(t *testing.T) {
	token := newToken(t)
	session := token.user()
	key := token.key(session, "key")
	before := len(calls(t))
	set(t, faultp11.Fail("C_WrapKey", ckr.DeviceError).Times(1))
	_, err := token.WrapKey(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_WRAP_PAD, nil)}, key, key)
	wantRV(t, "C_WrapKey", err, ckr.DeviceError)
	all := calls(t)[before:]
	if got := all[len(all)-1].Remarks; !slices.Equal(got, []string{"struck", "length-only"}) {
		t.Errorf("remarks %q", got)
	}
}

// Two calls at a time in one session are remarked on.
func TestTwoThreadsInASession(t *testing.T) {
	token := newToken(t)
	session := token.session()
	set(t, faultp11.Hang("C_GenerateRandom").Times(1))
	done := make(chan error, 1)
	go func() { done <- token.random(session) }()
	for faults.Hits("C_GenerateRandom") == 0 {
		time.Sleep(time.Millisecond)
	}
	token.must(token.random(session))
	set(t)
	token.must(<-done)
	if all := calls(t); !slices.Contains(all[len(all)-2].Remarks, "two-threads") {
		t.Errorf("no remark at %v", all[len(all)-2])
	}
}

// What is out of order is remarked on.
func TestOrder(t *testing.T) {
	token := newToken(t)
	session := token.session()
	digest := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA256, nil)}
	ordered := func(what string, err error, want ckr.RV, wantOrder bool) {
		t.Helper()
		wantRV(t, what, err, want)
		all := calls(t)
		if last := all[len(all)-1]; slices.Contains(last.Remarks, "order") == wantOrder {
			t.Errorf("%s: %v", what, last)
		}
	}
	_, err := token.Digest(session, []byte("message"))
	ordered("C_Digest without C_DigestInit", err, ckr.OperationNotInitialized, false)
	ordered("C_DigestInit", token.DigestInit(session, digest), ckr.OK, true)
	ordered("a second C_DigestInit", token.DigestInit(session, digest), ckr.OperationActive, false)
	ordered("C_DigestUpdate", token.DigestUpdate(session, []byte("part")), ckr.OK, true)
	_, err = token.DigestFinal(session)
	ordered("C_DigestFinal", err, ckr.OK, true)
	ordered("C_DigestInit anew", token.DigestInit(session, digest), ckr.OK, true)
	_, err = token.Digest(session, []byte("message"))
	ordered("C_Digest", err, ckr.OK, true)
}

func calls(tb testing.TB) []faultp11.Call {
	tb.Helper()
	all, err := faults.Calls()
	if err != nil {
		tb.Fatal(err)
	}
	return all
}
