package hsmpool_test

import (
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// faults disturbs the calls of a token's library.
type faults struct{ *faultp11.Library }

// disturb puts the library of faults between a token and the pools that are opened from
// now on. The token chooses its IVs itself, as the profile cloudhsm wants it.
func (h *hsm) disturb(tb testing.TB) faults {
	tb.Helper()
	f := faults{faultp11.New(tb, softHSM)}
	f.put(tb, faultp11.OwnIV())
	h.config.Library = f.Path()
	h.config.Env = append(h.config.Env, f.Env()...)
	return f
}

// put has a fault in the place of those of the same name.
func (f faults) put(tb testing.TB, fault faultp11.Fault) {
	tb.Helper()
	f.clear(tb, fault.Name())
	if err := f.Add(fault); err != nil {
		tb.Fatal(err)
	}
}

// clear ends the faults of a name.
func (f faults) clear(tb testing.TB, name string) {
	tb.Helper()
	if err := f.Remove(name); err != nil {
		tb.Fatal(err)
	}
}

func cloudhsm(c *hsmpool.Config) { c.Profile, c.Sessions = "cloudhsm", 2 }
