package hsmpool_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestWhereTheTimeOfARequestGoes tells waiting for an HSM from being carried out there.
func TestWhereTheTimeOfARequestGoes(t *testing.T) {
	t.Parallel()
	const long = 200 * time.Millisecond
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t, cloudhsm)
	id := generate(t, pool)
	seal := func(ctx context.Context) (hsmpool.Trace, error) {
		sealed, err := pool.Seal(ctx, id, []byte("plaintext"), nil)
		return sealed.Trace, err
	}
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T)
		fails bool
		// least the request waits, and is carried out.
		waits, takes time.Duration
	}{
		{"a slow HSM", func(t *testing.T) { library.put(t, faultp11.Delay("C_Encrypt", long).Times(1)) }, false, 0, long},
		{"an HSM that fails twice", func(t *testing.T) {
			library.put(t, faultp11.Delay("C_Encrypt", long).Times(2))
			library.put(t, faultp11.Fail("C_Encrypt", ckr.FunctionFailed).Kept().Times(2).Named("fails"))
		}, true, 0, 2 * long},
		{"a worker that is replaced", func(t *testing.T) { kill(t, pool, syscall.SIGKILL) }, false, 5 * time.Millisecond, 0},
		{"an HSM that does not answer in time", func(t *testing.T) { library.put(t, faultp11.Delay("C_Encrypt", 2*long).Times(1)) }, true, 0, long},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spoil(t)
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if test.fails {
				ctx, cancel = context.WithTimeout(ctx, test.takes+long/2)
			}
			defer cancel()
			began := time.Now()
			trace, err := seal(ctx)
			all := time.Since(began)
			if (err != nil) != test.fails {
				t.Errorf("Seal: %v", err)
			}
			if trace.Waited < test.waits || trace.Took < test.takes || trace.Waited+trace.Took > all {
				t.Errorf("of %v the request waited %v and took %v, want %v and %v at least", all, trace.Waited, trace.Took, test.waits, test.takes)
			}
		})
	}
}
