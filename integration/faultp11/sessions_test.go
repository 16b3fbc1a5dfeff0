package faultp11_test

import (
	"testing"
	"time"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Sessions from before are invalid for ever, later ones are not, and another fault
// added to it does not repeat it.
func TestSessionsInvalid(t *testing.T) {
	token := newToken(t)
	old := token.session()
	set(t, faultp11.SessionsInvalid())
	wantRV(t, "an old session", token.random(old), ckr.SessionHandleInvalid)
	session := token.session()
	if err := faults.Add(faultp11.Watch("C_Sign")); err != nil {
		t.Fatal(err)
	}
	wantRV(t, "a new session", token.random(session), ckr.OK)
	set(t)
	wantRV(t, "an old session, later", token.random(old), ckr.SessionHandleInvalid)
	wantRV(t, "closing an old session", token.CloseSession(old), ckr.SessionHandleInvalid)
	set(t, faultp11.SessionsInvalid())
	wantRV(t, "a session, the second time", token.random(session), ckr.SessionHandleInvalid)
}

func TestIdle(t *testing.T) {
	token := newToken(t)
	busy, idle := token.session(), token.session()
	set(t, faultp11.Idle(100*time.Millisecond))
	for begun := time.Now(); time.Since(begun) < 120*time.Millisecond; {
		wantRV(t, "a session in use", token.random(busy), ckr.OK)
	}
	wantRV(t, "an idle session", token.random(idle), ckr.SessionHandleInvalid)
	wantHits(t, "idle", 1)
}

func TestMaxSessions(t *testing.T) {
	token := newToken(t)
	session := token.session()
	for _, want := range []ckr.RV{ckr.SessionCount, ckr.DeviceMemory, ckr.ArgumentsBad} {
		set(t, faultp11.MaxSessions(1, want))
		_, err := token.open()
		wantRV(t, "C_OpenSession", err, want)
	}
	wantHits(t, "max-sessions", 1)
	token.must(token.CloseSession(session))
	token.session()
}

// A token that has forgotten the login finds nothing and uses nothing, until it is told
// again; then keys have other handles.
func TestLoggedOut(t *testing.T) {
	token := newToken(t)
	session := token.user()
	key := token.key(session, "key")
	set(t, faultp11.LoggedOut())
	_, err := token.GenerateKey(session, aesGen(), aesTemplate("another"))
	wantRV(t, "C_GenerateKey", err, ckr.UserNotLoggedIn)
	wantRV(t, "C_DestroyObject", token.DestroyObject(session, key), ckr.UserNotLoggedIn)
	wantRV(t, "C_GenerateRandom", token.random(session), ckr.OK)
	if found := token.find(session, "key"); len(found) != 0 {
		t.Errorf("found %v without a login", found)
	}
	info, err := token.GetSessionInfo(session)
	token.must(err)
	if info.State != pkcs11.CKS_RW_PUBLIC_SESSION {
		t.Errorf("the session's state is %d", info.State)
	}
	wantRV(t, "a wrong PIN", token.Login(session, pkcs11.CKU_USER, "wrong"), ckr.PINIncorrect)
	wantRV(t, "C_Login", token.Login(session, pkcs11.CKU_USER, userPIN), ckr.OK)
	if found := token.find(session, "key"); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

// An absent token is in no list and does nothing. When it is back, it needs new sessions
// and a login.
func TestAbsent(t *testing.T) {
	token := newToken(t)
	session := token.user()
	set(t, faultp11.Absent())
	if slots := token.slots(); len(slots) != 1 {
		t.Errorf("slots %v, want the one without a token", slots)
	}
	_, err := token.GetTokenInfo(token.slot)
	wantRV(t, "C_GetTokenInfo", err, ckr.TokenNotPresent)
	_, err = token.open()
	wantRV(t, "C_OpenSession", err, ckr.TokenNotPresent)
	wantRV(t, "C_GenerateRandom", token.random(session), ckr.DeviceRemoved)
	info, err := token.GetSlotInfo(token.slot)
	token.must(err)
	if info.Flags&pkcs11.CKF_TOKEN_PRESENT != 0 {
		t.Error("the slot says that the token is present")
	}
	set(t)
	if slots := token.slots(); len(slots) != 2 {
		t.Errorf("slots %v, want two", slots)
	}
	wantRV(t, "an old session", token.random(session), ckr.SessionHandleInvalid)
	session = token.session()
	_, err = token.GenerateKey(session, aesGen(), aesTemplate("key"))
	wantRV(t, "C_GenerateKey", err, ckr.UserNotLoggedIn)
	token.must(token.Login(session, pkcs11.CKU_USER, userPIN))
	token.key(session, "key")
}

// A library that caches its slots sees a token that comes back only after it was
// initialised again.
func TestCachedSlots(t *testing.T) {
	token := newToken(t)
	set(t, faultp11.Absent(), faultp11.CachedSlots())
	token.slots()
	set(t, faultp11.CachedSlots())
	if slots := token.slots(); len(slots) != 1 {
		t.Errorf("slots %v, want the one without a token", slots)
	}
	token.must(token.Finalize())
	token.must(token.Initialize())
	if slots := token.slots(); len(slots) != 2 {
		t.Errorf("slots %v after C_Initialize, want two", slots)
	}
}
