package hsmpool_test

import (
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// TestStrangeSlots has slots before the token's whose tokens cannot be looked at, at which
// crypto11 gives up, and slots in another order. The token is found by its label, serves
// all requests, and the log of the HSM has the calls that were made.
func TestStrangeSlots(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.disturb(t).put(t, faultp11.Slots(faultp11.Arrangement{Reverse: true, Extra: 2, Shift: 7}))
	before := h.journal.len()
	pool := h.open(t)
	sealAll(t, pool, generate(t, pool), 4)
	if drawn, _, err := pool.Random(t.Context(), 32); err != nil || len(drawn) != 32 {
		t.Errorf("%d random bytes: %v", len(drawn), err)
	}
	if s := pool.Describe()[0]; s.State != hsmpool.Ready || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
	entries := lines(h.journal.since(before))
	if got := count(h.journal.since(before), "C_Initialize"); got != 2 {
		t.Errorf("C_Initialize was called %d times, want once with crypto11 and once without: %q", got, entries)
	}
}
