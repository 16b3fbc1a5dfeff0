package reliability

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Row 2: a search for a key is answered with the handle of another one. No ciphertext may
// be of that other key.
func TestRow02SearchFindsAnotherKey(t *testing.T) {
	row{
		scenario: func(w *world) error {
			key, err := w.secondKey()
			if err != nil {
				return err
			}
			refused := faultp11.Fail("C_EncryptInit", ckr.KeyHandleInvalid).Times(1)
			if err := w.hsms[0].faults.Set(faultp11.Alias(), refused); err != nil {
				return err
			}
			_, err = w.encrypt(key) // if it is acknowledged it has to decrypt in the end
			w.logf("the request ended with %v", err)
			if err := w.hsms[0].faults.Clear(); err != nil {
				return err
			}
			if err := w.killWorker(w.hsms[0]); err != nil { // the next one knows the handles
				return err
			}
			if err := w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) }); err != nil {
				return err
			}
			if err := w.kept(); err != nil {
				return err
			}
			return w.logged("worker lost, starting another", "another key")
		},
		without: []needed{{defence.Verification, errLost}},
	}.test(t)
}

// secondKey makes two keys and has the first one be searched for. It returns the second.
func (w *world) secondKey() (string, error) {
	first, err := w.newKey()
	if err != nil {
		return "", err
	}
	second, err := w.newKey()
	if err != nil {
		return "", err
	}
	if err := w.hsms[0].faults.Set(faultp11.Fail("C_EncryptInit", ckr.KeyHandleInvalid).Times(1)); err != nil {
		return "", err
	}
	return second, w.use(first)
}

// Row 2: handles are small numbers that each start of the library deals anew, and workers
// are replaced under load, of one HSM and of the other.
func TestRow02HandlesOfAnotherLife(t *testing.T) {
	row{
		world: options{members: 2, faults: []faultp11.Fault{faultp11.ReuseHandles()}},
		scenario: func(w *world) error {
			var keys []string
			for range 4 {
				key, err := w.newKey()
				if err != nil {
					return err
				}
				keys = append(keys, key)
			}
			next := make(chan string)
			clients := w.load(8, func() error { return w.use(<-next) })
			turns := w.dealing(keys, next)
			err := w.replacing(clients)
			ended := clients.stopServed()
			turns()
			return firstOf(err, ended)
		},
	}.test(t)
}

// dealing sends the keys by turns until it is told to end.
func (w *world) dealing(keys []string, next chan<- string) (end func()) {
	done := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case next <- keys[i%len(keys)]:
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// replacing has the workers lose their login by turns.
func (w *world) replacing(clients *load) error {
	for i := range 4 {
		if err := clients.more(40); err != nil {
			return err
		}
		faults := w.hsms[i%2].faults
		if err := faults.Set(faultp11.ReuseHandles(), faultp11.LoggedOut()); err != nil {
			return err
		}
	}
	return clients.more(40)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
