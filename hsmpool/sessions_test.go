package hsmpool_test

import (
	"sync"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestFewerSessions: a token that grants fewer sessions than were asked for is used with
// those, whatever code it refuses them by.
func TestFewerSessions(t *testing.T) {
	for _, test := range []struct {
		name, profile string
		limit         int
		rv            ckr.RV
	}{
		{"CKR_SESSION_COUNT", "pkcs11", 9, ckr.SessionCount},
		{"CKR_DEVICE_MEMORY", "pkcs11", 9, ckr.DeviceMemory},
		{"no more than one that uses keys", "pkcs11", 6, ckr.SessionCount},
		{"CKR_ARGUMENTS_BAD of CloudHSM", "cloudhsm", 9, ckr.ArgumentsBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHSM(t)
			h.disturb(t).put(t, faultp11.MaxSessions(test.limit, test.rv))
			pool := h.open(t, func(c *hsmpool.Config) { c.Profile, c.Sessions = test.profile, 16 })
			sealAll(t, pool, generate(t, pool), 32)
			if s := pool.Describe()[0]; s.Restarts != 0 || int(s.Sessions) > test.limit || int(s.Sessions) < test.limit-1 {
				t.Errorf("%d sessions of %d, %d restarts", s.Sessions, test.limit, s.Restarts)
			}
		})
	}
}

// TestFewerSessionsLater has the token grant no new session while the pool is at work: one
// that is lost is not replaced, and the others go on.
func TestFewerSessionsLater(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	fault := h.disturb(t)
	pool := h.open(t, func(c *hsmpool.Config) { c.Profile, c.Sessions = "pkcs11", 4 })
	id := generate(t, pool)
	fault.put(t, faultp11.Fail("C_OpenSession", ckr.SessionCount))
	fault.put(t, faultp11.Fail("C_Encrypt", ckr.OperationActive).Times(3))
	for fault.Hits("C_Encrypt") < 3 {
		_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
		if err != nil {
			wantClass(t, err, hsmpool.Busy)
		}
	}
	sealAll(t, pool, id, 32)
	if s := pool.Describe()[0]; s.Restarts != 0 {
		t.Errorf("%d restarts", s.Restarts)
	}
	// The last session is not given up: its worker is replaced, once there are sessions again.
	fault.put(t, faultp11.Fail("C_Encrypt", ckr.OperationActive).Times(1))
	_, _ = pool.Seal(t.Context(), id, []byte("x"), nil) // meets the fault, or the next worker
	fault.clear(t, "C_OpenSession")
	eventually(t, "the pool is healthy again", func() bool { return pool.Health() == nil })
	sealAll(t, pool, id, 4)
	if s := pool.Describe()[0]; s.Restarts == 0 || s.Sessions != 4+1+4 {
		t.Errorf("%d restarts, %d sessions", s.Restarts, s.Sessions)
	}
}

// sealAll seals so many messages at a time, none of which may fail.
func sealAll(tb testing.TB, pool *hsmpool.Pool, id hsmpool.ObjectID, n int) {
	tb.Helper()
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() {
			if _, err := pool.Seal(tb.Context(), id, []byte("x"), nil); err != nil {
				tb.Errorf("Seal: %v", err)
			}
		})
	}
	clients.Wait()
}
