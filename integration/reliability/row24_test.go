package reliability

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 24: a storm of requests while the only HSM is down. They are refused at once, the log
// stays short, and when the HSM is back they are served.
func TestRow24StormWhileDown(t *testing.T) {
	const down = 2 * time.Second
	row{
		world: options{deadline: time.Second},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			clients := w.using(64, key)
			if err := clients.more(100); err != nil {
				return err
			}
			if err := w.hsms[0].faults.Set(faultp11.Absent()); err != nil {
				return err
			}
			w.pause(down)
			if err := w.hsms[0].faults.Clear(); err != nil {
				return err
			}
			err = w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) })
			refused := clients.stopRefused("KMSInternalException", "ThrottlingException", "DependencyTimeoutException", "KeyUnavailableException")
			return firstOf(err, refused, w.prompted(clients), w.short(20))
		},
		without: []needed{{defence.Replacement, errStuck}},
	}.test(t)
}

// prompted wants no request to have waited for long, and many to have been refused.
func (w *world) prompted(l *load) error {
	const most = 1500 * time.Millisecond
	if l.longest > most {
		return broken(errLate, "a request took %v while the HSM was down, more than %v", l.longest, most)
	}
	if len(l.refused) < 100 {
		return broken(errStuck, "only %d requests were refused: the storm waited", len(l.refused))
	}
	return nil
}

// short wants the log to have few lines that say that something is wrong.
func (w *world) short(most int) error {
	n := w.lines("[WARN]") + w.lines("[ERROR]")
	w.logf("%d lines of warnings and errors", n)
	if n > most {
		return broken(errUnbounded, "%d lines of the log say that something is wrong, more than %d", n, most)
	}
	return nil
}
