package faultp11_test

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Which calls of a function a fault strikes.
func TestChoiceOfCalls(t *testing.T) {
	token := newToken(t)
	session := token.session()
	fail := faultp11.Fail("C_GenerateRandom", ckr.DeviceError)
	for _, test := range []struct {
		name  string
		fault faultp11.Fault
		want  []ckr.RV // of five calls
	}{
		{"every call", fail, []ckr.RV{48, 48, 48, 48, 48}},
		{"the next two", fail.Times(2), []ckr.RV{48, 48, 0, 0, 0}},
		{"after one", fail.After(1), []ckr.RV{0, 48, 48, 48, 48}},
		{"two after two", fail.After(2).Times(2), []ckr.RV{0, 0, 48, 48, 0}},
		{"none of another function", faultp11.Fail("C_Encrypt", ckr.DeviceError), []ckr.RV{0, 0, 0, 0, 0}},
		{"every function", faultp11.Fail(faultp11.All, ckr.DeviceError), []ckr.RV{48, 48, 48, 48, 48}},
		{"functions that work", faultp11.Fail(faultp11.Operations, ckr.DeviceError), []ckr.RV{48, 48, 48, 48, 48}},
		{"failures only", fail.OnlyFailures(), []ckr.RV{0, 0, 0, 0, 0}},
		{"watched", faultp11.Watch("C_GenerateRandom"), []ckr.RV{0, 0, 0, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			set(t, test.fault)
			var got []ckr.RV
			for range test.want {
				got = append(got, rv(token.random(session)))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestDelay(t *testing.T) {
	token := newToken(t)
	session := token.session()
	const wait = 30 * time.Millisecond
	set(t, faultp11.Delay("C_GenerateRandom", wait))
	begun := time.Now()
	wantRV(t, "C_GenerateRandom", token.random(session), ckr.OK)
	if took := time.Since(begun); took < wait {
		t.Errorf("it took %v, want at least %v", took, wait)
	}
	wantHits(t, "C_GenerateRandom", 1)
}

// A share of calls is struck, the same ones for the same seed.
func TestShare(t *testing.T) {
	token := newToken(t)
	session := token.session()
	fail := faultp11.Fail("C_GenerateRandom", ckr.FunctionFailed)
	strikes := func(f faultp11.Fault) (struck []bool) {
		set(t, f)
		for range 400 {
			struck = append(struck, rv(token.random(session)) != ckr.OK)
		}
		return struck
	}
	first := strikes(fail.Share(0.25, 1))
	if n := faults.Hits("C_GenerateRandom"); n < 70 || n > 130 {
		t.Errorf("%d of 400 calls were struck, want a quarter", n)
	}
	if !slices.Equal(first, strikes(fail.Share(0.25, 1))) {
		t.Error("the same seed strikes other calls")
	}
	if slices.Equal(first, strikes(fail.Share(0.25, 2))) {
		t.Error("another seed strikes the same calls")
	}
}

// A call hangs until the fault is gone, and then does what it does.
func TestHang(t *testing.T) {
	token := newToken(t)
	session := token.session()
	set(t, faultp11.Hang("C_GenerateRandom"))
	done := make(chan error, 1)
	go func() { done <- token.random(session) }()
	for faults.Hits("C_GenerateRandom") == 0 {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-done:
		t.Errorf("the call has ended with %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	set(t)
	wantRV(t, "C_GenerateRandom", <-done, ckr.OK)
}

// A process dies before a call has its effect, or after.
func TestKill(t *testing.T) {
	token := newToken(t)
	for _, test := range []struct {
		name  string
		fault faultp11.Fault
		want  string
		keys  int
	}{
		{"killed before", faultp11.Kill("C_GenerateKey", syscall.SIGKILL), "CKR_OK killed", 0},
		{"killed after", faultp11.Kill("C_GenerateKey", syscall.SIGKILL).Kept(), "CKR_OK killed", 1},
		{"crashed", faultp11.Kill("C_GenerateKey", syscall.SIGSEGV), "CKR_OK crashed", 0},
		{"killed in the second", faultp11.Kill("C_GenerateKey", syscall.SIGKILL).After(1), "CKR_OK CKR_OK killed", 1},
	} {
		set(t, test.fault)
		got := another(t, "login "+userPIN, "generate "+test.name, "generate "+test.name)
		if got := strings.Join(strings.Fields(got), " "); got != test.want {
			t.Errorf("%s: the process said %q, want %q", test.name, got, test.want)
		}
		set(t)
		token.must(token.Finalize())
		token.must(token.Initialize())
		if found := token.find(token.user(), test.name); len(found) != test.keys {
			t.Errorf("%s: %d keys, want %d", test.name, len(found), test.keys)
		}
	}
}

// A code in place of the library's own is for failures only.
func TestOnlyFailures(t *testing.T) {
	token := newToken(t)
	session := token.session()
	set(t, faultp11.Fail("C_Login", ckr.PINExpired).OnlyFailures())
	wantRV(t, "a wrong PIN", token.Login(session, pkcs11.CKU_USER, "wrong"), ckr.PINExpired)
	wantRV(t, "the right PIN", token.Login(session, pkcs11.CKU_USER, userPIN), ckr.OK)
	wantHits(t, "C_Login", 1)
}

func TestMechanism(t *testing.T) {
	token := newToken(t)
	session := token.session()
	set(t, faultp11.Fail("C_DigestInit", ckr.DeviceError).Mechanism(pkcs11.CKM_SHA512))
	for mechanism, want := range map[uint]ckr.RV{pkcs11.CKM_SHA256: ckr.OK, pkcs11.CKM_SHA512: ckr.DeviceError} {
		err := token.DigestInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)})
		wantRV(t, "C_DigestInit", err, want)
	}
	if got := faults.Seen("C_DigestInit"); got != 1 {
		t.Errorf("%d calls were seen, want one", got)
	}
	for mechanism, want := range map[uint]ckr.RV{pkcs11.CKM_SHA256: ckr.OK, pkcs11.CKM_SHA512: ckr.DeviceError} {
		session := token.session()
		set(t, faultp11.Fail("C_Digest", ckr.DeviceError).Mechanism(pkcs11.CKM_SHA512))
		token.must(token.DigestInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}))
		_, err := token.Digest(session, []byte("message"))
		wantRV(t, "C_Digest", err, want)
	}
}

// Counts are of all processes together.
func TestTimesOfSeveralProcesses(t *testing.T) {
	token := newToken(t)
	set(t, faultp11.Fail("C_GenerateRandom", ckr.DeviceError).Times(2))
	wantRV(t, "C_GenerateRandom here", token.random(token.session()), ckr.DeviceError)
	if got, want := another(t, "random", "random"), "CKR_DEVICE_ERROR\nCKR_OK"; got != want {
		t.Errorf("another process said %q, want %q", got, want)
	}
	wantHits(t, "C_GenerateRandom", 2)
}

// Faults are known by their names: those of one are replaced, ended, and counted.
func TestNames(t *testing.T) {
	token := newToken(t)
	session := token.session()
	set(t, faultp11.Watch("C_GenerateRandom").Named("watch"), faultp11.Fail("C_GenerateRandom", ckr.DeviceError))
	wantRV(t, "C_GenerateRandom", token.random(session), ckr.DeviceError)
	token.must(faults.Remove("C_GenerateRandom"))
	wantRV(t, "C_GenerateRandom", token.random(session), ckr.OK)
	wantHits(t, "C_GenerateRandom", 1)
	if got := faults.Seen("watch"); got != 2 {
		t.Errorf("%d calls were seen, want 2", got)
	}
	token.must(faults.Add(faultp11.Fail("C_GenerateRandom", ckr.DeviceError)))
	wantHits(t, "C_GenerateRandom", 0)
}

// What is not understood ends the process.
func TestNonsense(t *testing.T) {
	newToken(t)
	defer set(t)
	for _, f := range []faultp11.Fault{faultp11.Watch("C_Nonsense"), faultp11.Watch("C_Sign").Share(2, 0), faultp11.Watch("C_Sign rv=x"), faultp11.Watch("C_Sign nonsense")} {
		set(t, f)
		if got, want := another(t, "random"), "given up"; got != want {
			t.Errorf("%v: another process said %q, want %q", f, got, want)
		}
	}
}

// A preset library needs no environment.
func TestPreset(t *testing.T) {
	token := newToken(t)
	preset, err := faults.Preset(t.Context())
	token.must(err)
	t.Setenv("FAULTP11_TEST_PATH", preset)
	for _, name := range []string{"LIBRARY", "CONTROL", "STATE", "LOG"} {
		t.Setenv("FAULTP11_"+name, "/nonexistent")
	}
	set(t, faultp11.Fail("C_GenerateRandom", ckr.DeviceError))
	if got, want := another(t, "random"), "CKR_DEVICE_ERROR"; got != want {
		t.Errorf("another process said %q, want %q", got, want)
	}
}

// The library counts the ends during other calls.
func TestOverlap(t *testing.T) {
	token := newToken(t)
	session := token.session()
	set(t, faultp11.Overlap(), faultp11.Delay("C_GenerateRandom", 50*time.Millisecond))
	done := make(chan error, 1)
	go func() { done <- token.random(session) }()
	for faults.Hits("C_GenerateRandom") == 0 {
		time.Sleep(time.Millisecond)
	}
	token.must(token.Finalize())
	t.Log("the call ended with", <-done)
	wantHits(t, "overlap", 1)
}

// The library is compiled once into a directory.
func TestCompile(t *testing.T) {
	dir := t.TempDir()
	path, err := faultp11.Compile(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := faultp11.Compile(t.Context(), dir)
	if err != nil || again != path {
		t.Fatalf("then it is %s, %v", again, err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("it was compiled once more: %v", err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("the directory has %v, %v", all, err)
	}
}
