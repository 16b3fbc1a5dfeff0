package reliability

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 10: the HSM grants fewer sessions than it used to. The next worker goes on with them.
func TestRow10FewerSessions(t *testing.T) {
	row{
		world: options{hsm: []string{"sessions: 16"}},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := w.hsms[0].faults.Set(faultp11.MaxSessions(8, ckr.SessionCount)); err != nil {
				return err
			}
			if err := w.killWorker(w.hsms[0]); err != nil {
				return err
			}
			if err := w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) }); err != nil {
				return err
			}
			clients := w.using(16, key)
			if err := clients.more(100); err != nil {
				return err
			}
			return firstOf(clients.stopServed(), w.logged("fewer sessions than were asked for", "lower hsm.sessions"))
		},
		without: []needed{{defence.FewerSessions, errStuck}},
	}.test(t)
}
