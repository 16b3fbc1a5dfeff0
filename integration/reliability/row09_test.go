package reliability

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 9: an HSM has too much to do, and says so by a code that others use for anything
// that fails. It is asked less, and clients are told to come again.
func TestRow09Busy(t *testing.T) {
	row{
		world: options{
			profile: "cloudhsm", label: "hsm1", prepare: (*world).asCloudHSM, hsm: []string{"sessions: 16"},
			faults: []faultp11.Fault{faultp11.CloudHSM()},
		},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			err = w.hsms[0].faults.Set(faultp11.CloudHSM(), faultp11.CloudHSMBusy(0.3, 1), faultp11.Delay("C_Encrypt", 50*time.Millisecond))
			if err != nil {
				return err
			}
			clients := w.using(64, key)
			if err := clients.more(80); err != nil {
				return err
			}
			err = w.restrained(20)
			if err := firstOf(clients.stopRefused("ThrottlingException"), err, w.unharmed()); err != nil {
				return err
			}
			if len(clients.refused) == 0 {
				return broken(errVague, "no client is told that the HSM is busy")
			}
			if err := w.hsms[0].faults.Set(faultp11.CloudHSM()); err != nil {
				return err
			}
			return firstOf(w.logged("the HSM says that it is busy"), w.recovers(time.Now(), time.Second, func() error { return w.use(key) }))
		},
		without: []needed{{defence.Restraint, errUnbounded}},
	}.test(t)
}

// asCloudHSM gives the server a PIN as CloudHSM wants it: of a user and a password.
func (w *world) asCloudHSM() error { return w.site.Token.WritePIN("crypto-user:" + w.site.Token.PIN) }

// restrained wants fewer requests to be at the HSM, on average.
func (w *world) restrained(fewer float64) error {
	const looks = 20
	sum := 0
	for range looks {
		d, err := w.describe(w.hsms[0])
		if err != nil {
			return err
		}
		sum += int(d.GetInFlight())
		w.pause(10 * time.Millisecond)
	}
	mean := float64(sum) / looks
	w.logf("on average %.1f requests are at the HSM, at most %.1f", mean, fewer)
	if mean > fewer {
		return broken(errUnbounded, "on average %.1f requests are at an HSM that is busy, more than %.1f", mean, fewer)
	}
	return nil
}
