package daemon

import (
	"context"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// A server does not start without its HSM because of a fault that passes before the
// second start of the HSM; it does not wait for one that will not.
func TestAStartAwaitsASecondStartOfTheHSM(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault faultp11.Fault
		ready bool
	}{
		{"a fault that passes", faultp11.Fail("C_Initialize", ckr.GeneralError).Times(1), true},
		{"one that does not", faultp11.Fail("C_Initialize", ckr.GeneralError), false},
		{"a PIN that is refused", faultp11.Fail("C_Login", ckr.PINIncorrect), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newClusterSite(t)
			s.startFaulty(t, test.fault)
			if err := s.awaitHSMs(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			err, missed := s.hsm.Health(), strings.Contains(s.logged(), "the HSM is not there")
			if (err == nil) != test.ready || missed == test.ready {
				t.Errorf("the HSM: %v; log\n%s", err, s.logged())
			}
		})
	}
}

// startFaulty opens the first cluster's token as that of the default HSM, by a library
// with a fault.
func (s *clusterSite) startFaulty(t *testing.T, fault faultp11.Fault) {
	t.Helper()
	library := faultp11.New(t, softHSM)
	if err := library.Set(fault); err != nil {
		t.Fatal(err)
	}
	settings := poolConfig(s.config.Clusters[0].Device, 1)
	settings.Library, settings.Env = library.Path(), append(settings.Env, library.Env()...)
	settings.PIN.Secret = []byte(password)
	settings.Auditor, settings.Logger = s.trail, s.logger
	pool, err := hsmpool.Start(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close(context.Background()) })
	s.hsm = pool
}
