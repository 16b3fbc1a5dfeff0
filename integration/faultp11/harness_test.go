package faultp11_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

const (
	softHSM = "/usr/lib/softhsm/libsofthsm2.so"
	userPIN = "user-pin-4711"
	soPIN   = "officer-pin-0815"
	label   = "faulty"
)

// The library can be loaded only once by a process; so all tests share one control file.
var (
	faults  *faultp11.Library
	library *pkcs11.Ctx
)

// TestMain makes the library, and lets the test binary be another process that uses it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		os.Exit(child(os.Args[2:]))
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if _, err := os.Stat(softHSM); err != nil {
		fmt.Println("SoftHSM is not installed:", err)
		return 0, nil
	}
	dir, err := os.MkdirTemp("", "faultp11-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path, err := faultp11.Cached(context.Background())
	if err != nil {
		return 0, err
	}
	faults, err = faultp11.Open(faultp11.Options{Dir: filepath.Join(dir, "faults"), Path: path, SoftHSM: softHSM, Log: true})
	if err != nil {
		return 0, err
	}
	for _, variable := range append(faults.Env(), "FAULTP11_TEST_PATH="+path) {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return 0, err
		}
	}
	library = pkcs11.New(path)
	return m.Run(), nil
}

// token is a SoftHSM token of a test's own, in the library of faults.
type token struct {
	*pkcs11.Ctx
	tb   testing.TB
	slot uint
}

// newToken initialises a token; the library is initialised.
func newToken(tb testing.TB) *token {
	tb.Helper()
	dir := tb.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Setenv("SOFTHSM2_CONF", conf)
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", userPIN, "--so-pin", soPIN).CombinedOutput()
	if err != nil {
		tb.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
	set(tb)
	t := &token{Ctx: library, tb: tb}
	t.must(t.Initialize())
	tb.Cleanup(func() {
		set(tb)
		if err := library.Finalize(); err != nil && rv(err) != ckr.CryptokiNotInitialized {
			tb.Errorf("Finalize: %v", err)
		}
	})
	t.slot = t.slots()[0]
	return t
}

func (t *token) slots() []uint {
	t.tb.Helper()
	slots, err := t.GetSlotList(true)
	t.must(err)
	return slots
}

func (t *token) must(err error) {
	t.tb.Helper()
	if err != nil {
		t.tb.Fatal(err)
	}
}

// session opens a session.
func (t *token) session() pkcs11.SessionHandle {
	t.tb.Helper()
	s, err := t.open()
	t.must(err)
	return s
}

func (t *token) open() (pkcs11.SessionHandle, error) {
	return t.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
}

// user opens a session and logs in.
func (t *token) user() pkcs11.SessionHandle {
	t.tb.Helper()
	s := t.session()
	t.must(t.Login(s, pkcs11.CKU_USER, userPIN))
	return s
}

func aesGen() []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}
}

func aesTemplate(id string) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_ID, id),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, id),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32),
	}
}

// key makes an AES key of the token.
func (t *token) key(s pkcs11.SessionHandle, id string) pkcs11.ObjectHandle {
	t.tb.Helper()
	key, err := t.GenerateKey(s, aesGen(), aesTemplate(id))
	t.must(err)
	return key
}

// find returns the objects of an id.
func (t *token) find(s pkcs11.SessionHandle, id string) []pkcs11.ObjectHandle {
	t.tb.Helper()
	found, err := find(t.Ctx, s, id)
	t.must(err)
	return found
}

func find(ctx *pkcs11.Ctx, s pkcs11.SessionHandle, id string) ([]pkcs11.ObjectHandle, error) {
	if err := ctx.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, id)}); err != nil {
		return nil, err
	}
	found, _, err := ctx.FindObjects(s, 100)
	return found, errors.Join(err, ctx.FindObjectsFinal(s))
}

// id returns an object's CKA_ID.
func (t *token) id(s pkcs11.SessionHandle, key pkcs11.ObjectHandle) string {
	t.tb.Helper()
	values, err := t.GetAttributeValue(s, key, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
	t.must(err)
	return string(values[0].Value)
}

// random draws random bytes, which needs a session and nothing else.
func (t *token) random(s pkcs11.SessionHandle) error {
	_, err := t.GenerateRandom(s, 8)
	return err
}

// set has these faults from now on.
func set(tb testing.TB, all ...faultp11.Fault) {
	tb.Helper()
	if err := faults.Set(all...); err != nil {
		tb.Fatal(err)
	}
}

func rv(err error) ckr.RV {
	var e pkcs11.Error
	if errors.As(err, &e) {
		return ckr.Of(uint64(e))
	}
	if err != nil {
		return ckr.GeneralError
	}
	return ckr.OK
}

// wantRV expects that a call ended with a code.
func wantRV(tb testing.TB, what string, err error, want ckr.RV) {
	tb.Helper()
	if got := rv(err); got != want {
		tb.Errorf("%s answered %v, want %v", what, got, want)
	}
}

func wantHits(tb testing.TB, name string, want int) {
	tb.Helper()
	if got := faults.Hits(name); got != want {
		tb.Errorf("%s has struck %d times, want %d", name, got, want)
	}
}
