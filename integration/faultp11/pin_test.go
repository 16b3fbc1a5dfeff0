package faultp11_test

import (
	"strings"
	"testing"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

const pinStates = pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY | pkcs11.CKF_USER_PIN_LOCKED

func (t *token) pinState() uint {
	t.tb.Helper()
	info, err := t.GetTokenInfo(t.slot)
	t.must(err)
	return info.Flags & pinStates
}

// Wrong PINs are counted over processes, told of, and lock the token for the right one
// too. A right one before that resets the count.
func TestPINLimit(t *testing.T) {
	token := newToken(t)
	set(t, faultp11.PINLimit(3))
	session := token.session()
	const (
		low   = pkcs11.CKF_USER_PIN_COUNT_LOW
		final = pkcs11.CKF_USER_PIN_FINAL_TRY
	)
	for i, step := range []struct {
		pin   string
		here  bool
		rv    ckr.RV
		flags uint
	}{
		{"wrong", false, ckr.PINIncorrect, low},
		{userPIN, false, ckr.OK, 0},
		{"wrong", true, ckr.PINIncorrect, low},
		{"wrong", false, ckr.PINIncorrect, low | final},
		{"wrong", true, ckr.PINIncorrect, low | pkcs11.CKF_USER_PIN_LOCKED},
		{userPIN, true, ckr.PINLocked, low | pkcs11.CKF_USER_PIN_LOCKED},
		{userPIN, false, ckr.PINLocked, low | pkcs11.CKF_USER_PIN_LOCKED},
	} {
		if step.here {
			wantRV(t, "C_Login", token.Login(session, pkcs11.CKU_USER, step.pin), step.rv)
		} else if got := another(t, "login "+step.pin); got != step.rv.String() {
			t.Errorf("step %d: another process was answered %s, want %v", i, got, step.rv)
		}
		if got := token.pinState(); got&^low != step.flags&^low || step.flags != 0 && got&low == 0 {
			t.Errorf("step %d: flags %#x, want %#x", i, got, step.flags)
		}
	}
	wantHits(t, "pin-limit", 2)
}

func TestPINFlags(t *testing.T) {
	token := newToken(t)
	set(t, faultp11.PINFlags(pkcs11.CKF_USER_PIN_FINAL_TRY))
	if got := token.pinState(); got != pkcs11.CKF_USER_PIN_FINAL_TRY {
		t.Errorf("flags %#x", got)
	}
}

// Libraries over one token may count together.
func TestSharedPINCounts(t *testing.T) {
	newToken(t)
	pins := t.TempDir()
	for _, want := range []ckr.RV{ckr.PINIncorrect, ckr.PINLocked} {
		other, err := faultp11.Open(faultp11.Options{Dir: t.TempDir(), Path: faults.Path(), SoftHSM: softHSM, PINs: pins})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Set(faultp11.PINLimit(1)); err != nil {
			t.Fatal(err)
		}
		for _, variable := range other.Env() {
			name, value, _ := strings.Cut(variable, "=")
			t.Setenv(name, value)
		}
		if got := another(t, "login wrong"); got != want.String() {
			t.Errorf("a wrong PIN was answered %s, want %v", got, want)
		}
	}
}
