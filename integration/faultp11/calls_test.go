package faultp11_test

import (
	"slices"
	"testing"
	"time"

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
