//go:build cgo

package worker

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
	"golang.org/x/sys/unix"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

func sealRequest(id objectID) *workerv1.ToWorker {
	return &workerv1.ToWorker{Request: &workerv1.ToWorker_Seal{Seal: &workerv1.SealRequest{ObjectId: id[:], Plaintext: []byte("plaintext")}}}
}

// TestExecutorRecovers breaks what an executor works with between two requests, and
// expects it to answer the second all the same.
func TestExecutorRecovers(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	id, _ := token.generate(t)
	for _, test := range []struct {
		name  string
		spoil func() error
	}{
		{"nothing", func() error { return nil }},
		{"the session is closed", func() error { return token.token.ctx.CloseSession(e.session) }},
		{"an operation is active on the session", func() error {
			mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_ECB, nil)}
			return token.token.ctx.ctx.EncryptInit(e.session, mechanism, token.objects.known(id).handle)
		}},
		{"the handle is stale", func() error {
			token.objects.put(id, &object{handle: 99_999})
			return nil
		}},
		{"the handle is not known", func() error {
			token.objects.beginDestroy(id)
			token.objects.endDestroy(id, false)
			return nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.spoil(); err != nil {
				t.Fatal(err)
			}
			if f := e.handle(sealRequest(id)).GetFailure(); f != nil {
				t.Errorf("sealing failed: %v", f)
			}
		})
	}
}

// TestLostKeyReplacesTheWorker: a key that this worker knew may be missing because the
// library has lost its state; one that it never knew, or destroyed, is just missing.
func TestLostKeyReplacesTheWorker(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	id, obj := token.generate(t)
	if err := token.token.ctx.DestroyObject(token.manager.session, obj.handle); err != nil {
		t.Fatal(err)
	}
	destroy := &workerv1.ToWorker{Request: &workerv1.ToWorker_Destroy{Destroy: &workerv1.DestroyRequest{ObjectId: id[:]}}}
	for what, handle := range map[string]func() *workerv1.Reply{
		"sealing":    func() *workerv1.Reply { return e.handle(sealRequest(id)) },
		"destroying": func() *workerv1.Reply { return token.manager.handle(destroy) },
	} {
		token.objects.put(id, &object{handle: obj.handle})
		f := handle().GetFailure()
		if f.GetClass() != workerv1.FailureClass_FAILURE_CLASS_UNAVAILABLE || !f.GetRestart() {
			t.Errorf("%s: got %v, want a restart", what, f)
		}
		token.objects.beginDestroy(id)
		f = handle().GetFailure()
		if f.GetClass() != workerv1.FailureClass_FAILURE_CLASS_OBJECT_MISSING || f.GetRestart() {
			t.Errorf("%s: got %v, want a missing object", what, f)
		}
		token.objects.endDestroy(id, false)
	}
}

func TestDuplicateObjectsAreRefused(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	id, _ := token.generate(t)
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}
	if _, err := token.token.ctx.GenerateKey(token.manager.session, mechanism, designOf(t, id, kind.AES256, kind.Encrypt, profile{}).template()); err != nil {
		t.Fatal(err)
	}
	if err := token.objects.list(token.manager.session); err != nil {
		t.Fatal(err)
	}
	if f := e.handle(sealRequest(id)).GetFailure(); f.GetClass() != workerv1.FailureClass_FAILURE_CLASS_OPERATOR {
		t.Errorf("one of two objects of an id was used: %v", f)
	}
}

// TestFailedOpenLeaksNothing opens altered ciphertext many times.
func TestFailedOpenLeaksNothing(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	id, _ := token.generate(t)
	const size, times = 64 << 10, 2000
	request := &workerv1.ToWorker{Request: &workerv1.ToWorker_Open{Open: &workerv1.OpenRequest{
		ObjectId: id[:], Iv: make([]byte, ivSize), Ciphertext: make([]byte, size),
	}}}
	open := func(times int) {
		for range times {
			if f := e.handle(request).GetFailure(); f.GetClass() != workerv1.FailureClass_FAILURE_CLASS_CALLER {
				t.Fatalf("got %v, want the caller's fault", f)
			}
		}
	}
	open(200)
	before := residentBytes(t)
	open(times)
	if grown := residentBytes(t) - before; grown > size*times/4 {
		t.Errorf("%d failures cost %d bytes of memory", times, grown)
	}
}

// residentBytes is the memory of this process, C's included.
func residentBytes(tb testing.TB) int {
	tb.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		tb.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// TestWrongAttributesAreSeen reads back a key that is not what was asked for.
func TestWrongAttributesAreSeen(t *testing.T) {
	token := newTestToken(t)
	id, _ := token.generate(t)
	d := designOf(t, id, kind.AES256, kind.Encrypt, profile{})
	loose := d.template()
	for _, a := range loose {
		if a.Type == pkcs11.CKA_EXTRACTABLE || a.Type == pkcs11.CKA_WRAP {
			a.Value = []byte{1}
		}
	}
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}
	handle, err := token.token.ctx.GenerateKey(token.manager.session, mechanism, loose)
	if err != nil {
		t.Fatal(err)
	}
	err = token.manager.check(d, handle)
	if err == nil {
		t.Fatal("an extractable key passed")
	}
	for _, want := range []string{"CKA_EXTRACTABLE is 01", "CKA_WRAP is 01", "CKA_NEVER_EXTRACTABLE is 00"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	cause := token.manager.undo(id, "request", err)
	if handles, err := token.objects.findKeys(token.manager.session, pkcs11.NewAttribute(pkcs11.CKA_ID, id[:])); err != nil || len(handles) != 0 {
		t.Errorf("%d objects left of a failed generation: %v", len(handles), err)
	}
	if failed(cause).GetFailure().GetRestart() {
		t.Error("the worker is to be replaced although it has cleaned up")
	}
}

func TestPINFlags(t *testing.T) {
	token := newTestToken(t)
	for _, test := range []struct {
		name  string
		flags uint
		stop  bool
	}{
		{"none", 0, false},
		{"wrong once", pkcs11.CKF_USER_PIN_COUNT_LOW, false},
		{"one try left", pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY, true},
		{"locked", pkcs11.CKF_USER_PIN_LOCKED, true},
	} {
		token.token.info.Flags = test.flags
		err := token.token.checkPINFlags()
		if (err != nil) != test.stop {
			t.Errorf("%s: %v", test.name, err)
		}
		if err == nil {
			continue
		}
		if reply := failed(err); reply.GetFailure().GetClass() != workerv1.FailureClass_FAILURE_CLASS_OPERATOR ||
			reply.GetFunction() != "" || reply.GetRv() != uint32(ckr.PINLocked) {
			t.Errorf("%s: not for an operator, or not known as locked: %v", test.name, reply)
		}
	}
}

func TestUserName(t *testing.T) {
	cloud, soft := profile{userInPIN: true}, profile{}
	for _, test := range []struct{ got, want string }{
		{cloud.userName([]byte("kmsuser:secret")), "kmsuser"},
		{cloud.userName([]byte("secret")), "user"},
		{soft.userName([]byte("se:cret")), "user"},
	} {
		if test.got != test.want {
			t.Errorf("user name %q, want %q", test.got, test.want)
		}
	}
}

func TestReadPIN(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("A_PIN", "from-env")
	for _, test := range []struct {
		name   string
		source *workerv1.PinSource
		want   string
		says   string
	}{
		{"file", &workerv1.PinSource{File: write(t, filepath.Join(dir, "pin"), "12 34\r\nsecond line")}, "12 34", ""},
		{"empty file", &workerv1.PinSource{File: write(t, filepath.Join(dir, "empty"), "\nsecret")}, "", "empty"},
		{"no file", &workerv1.PinSource{File: filepath.Join(dir, "none")}, "", "none"},
		{"variable", &workerv1.PinSource{Env: "A_PIN"}, "from-env", ""},
		{"no variable", &workerv1.PinSource{Env: "NO_PIN"}, "", "empty"},
		{"command", &workerv1.PinSource{Command: []string{"echo", "from-command"}}, "from-command", ""},
		{"failing command", &workerv1.PinSource{Command: []string{"sh", "-c", "echo secret; exit 3"}}, "", "exit status 3"},
		{"the PIN itself", &workerv1.PinSource{Secret: []byte(" 12\n34 ")}, " 12\n34 ", ""},
		{"nothing", &workerv1.PinSource{}, "", "no source"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readPIN(test.source)
			if string(got) != test.want || (err == nil) != (test.says == "") {
				t.Fatalf("got %q, %v", got, err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the error %q should say %q, and no secret", err, test.says)
			}
		})
	}
}

func TestTokenDir(t *testing.T) {
	dir := t.TempDir()
	conf := write(t, filepath.Join(dir, "softhsm2.conf"), "# comment\nlog.level = ERROR\ndirectories.tokendir =  /var/lib/tokens \n")
	t.Setenv("SOFTHSM2_CONF", conf)
	if got, err := softhsmTokenDir(); err != nil || got != "/var/lib/tokens" {
		t.Errorf("token directory %q, %v", got, err)
	}
	t.Setenv("SOFTHSM2_CONF", write(t, filepath.Join(dir, "other.conf"), "log.level = ERROR\n"))
	if _, err := softhsmTokenDir(); err == nil {
		t.Error("a token directory where none is configured")
	}
}

// TestChangedSince decides which files are synced.
func TestChangedSince(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "object"), "x")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if now := time.Now(); !changedSince(entries[0], now.Add(-time.Minute)) || changedSince(entries[0], now.Add(time.Minute)) {
		t.Error("the time of the change is not told from another")
	}
}

// TestDirSyncer tells new objects from old ones, once.
func TestDirSyncer(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old.object"), "x")
	d, err := newDirSyncer(dir)
	if err != nil {
		t.Fatal(err)
	}
	added := write(t, filepath.Join(dir, "new.object"), "x")
	write(t, filepath.Join(dir, "new.lock"), "")
	for _, want := range [][]string{{added}, nil} {
		if made, err := d.sync(); err != nil || !slices.Equal(made, want) {
			t.Errorf("sync says that %q are new (%v), want %q", made, err, want)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := d.sync(); err != nil {
		t.Errorf("a directory that is gone: %v", err)
	}
}

// TestMainRefusesArguments also shows that nobody may look into the worker's memory, or
// have it written to a file, from its first moment.
func TestMainRefusesArguments(t *testing.T) {
	defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }()
	if code := Main([]string{"--library", "x"}); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("the worker may be dumped: %d, %v", dumpable, err)
	}
}
