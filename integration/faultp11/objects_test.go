package faultp11_test

import (
	"testing"
	"time"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// A generation that fails after the fact leaves its key.
func TestKeptObject(t *testing.T) {
	token := newToken(t)
	session := token.user()
	for _, test := range []struct {
		name  string
		fault faultp11.Fault
		want  int
	}{
		{"before", faultp11.Fail("C_GenerateKey", ckr.AttributeValueInvalid), 0},
		{"after", faultp11.Fail("C_GenerateKey", ckr.AttributeValueInvalid).Kept(), 1},
	} {
		set(t, test.fault)
		_, err := token.GenerateKey(session, aesGen(), aesTemplate(test.name))
		wantRV(t, "C_GenerateKey", err, ckr.AttributeValueInvalid)
		if found := token.find(session, test.name); len(found) != test.want {
			t.Errorf("%s: found %v, want %d", test.name, found, test.want)
		}
	}
}

// A handle that was kept too long names another key: after a destruction, and after the
// library was initialised again.
func TestReuseHandles(t *testing.T) {
	token := newToken(t)
	token.must(token.Finalize())
	set(t, faultp11.ReuseHandles())
	token.must(token.Initialize())
	session := token.user()
	a, b := token.key(session, "a"), token.key(session, "b")
	token.must(token.DestroyObject(session, a))
	if found := token.find(session, "a"); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	c := token.key(session, "c")
	if c != a {
		t.Errorf("the next key has handle %d, want %d", c, a)
	}
	if got := token.id(session, b); got != "b" {
		t.Errorf("handle %d names %q, want b", b, got)
	}
	token.must(token.Finalize())
	token.must(token.Initialize())
	session = token.user()
	again := map[pkcs11.ObjectHandle]string{token.find(session, "b")[0]: "b", token.find(session, "c")[0]: "c"}
	if again[b] == "b" && again[c] == "c" {
		t.Error("after another C_Initialize both handles name what they named")
	}
	for handle, want := range again {
		if got := token.id(session, handle); got != want {
			t.Errorf("handle %d names %q, want %q", handle, got, want)
		}
	}
	_, err := token.GetAttributeValue(session, 1000, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
	wantRV(t, "a handle of nothing", err, ckr.ObjectHandleInvalid)
}

// What another process makes is found late; what was there, and what is made here, at
// once.
func TestSyncLag(t *testing.T) {
	token := newToken(t)
	session := token.user()
	token.key(session, "old")
	const lag = 200 * time.Millisecond
	set(t, faultp11.SyncLag(lag))
	if found := token.find(session, "old"); len(found) != 1 {
		t.Errorf("the old key: found %v", found)
	}
	token.key(session, "ours")
	if found := token.find(session, "ours"); len(found) != 1 {
		t.Errorf("our key: found %v", found)
	}
	if got := another(t, "login "+userPIN, "generate theirs"); got != "CKR_OK\nCKR_OK" {
		t.Fatalf("another process said %q", got)
	}
	begun := time.Now()
	for len(token.find(session, "theirs")) == 0 {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the other process's key is never found")
		}
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(begun); took < lag {
		t.Errorf("the other process's key was found after %v, want %v", took, lag)
	}
}

func TestAlias(t *testing.T) {
	token := newToken(t)
	session := token.user()
	token.key(session, "first")
	token.key(session, "second")
	first := token.find(session, "first")[0]
	set(t, faultp11.Alias())
	if got := token.find(session, "second"); len(got) != 1 || got[0] != first {
		t.Errorf("found %v, want %v", got, first)
	}
	wantHits(t, "alias", 1)
}

func TestLength(t *testing.T) {
	token := newToken(t)
	session := token.user()
	key := token.key(session, "key")
	set(t, faultp11.Length())
	params := pkcs11.NewGCMParams(someIV, nil, 128)
	defer params.Free()
	token.must(token.EncryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, key))
	sealed, err := token.Encrypt(session, []byte("plaintext"))
	token.must(err)
	if len(sealed) < 1<<20 {
		t.Errorf("%d bytes were written, it says", len(sealed))
	}
}
