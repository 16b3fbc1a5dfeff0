package hsmpool_test

import (
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// TestAClusterTriesAWrongPINOnce has members with tokens of their own, whose users are one
// user of their cluster.
func TestAClusterTriesAWrongPINOnce(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.config.Members = []hsmpool.Member{{HSMID: "hsm-member0"}}
	for _, id := range []string{"hsm-member1", "hsm-member2"} {
		other := newHSM(t)
		h.config.Members = append(h.config.Members, hsmpool.Member{HSMID: id, Env: other.config.Env})
	}
	h.config.Guard = hsmpool.NewPINGuard(newNotes())
	h.write(t, "pin", "wrong-pin-1234")
	before := count(h.journal.since(0), "C_Login") // when its token was made
	for start := range 3 {
		pool, err := hsmpool.Start(h.config)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range pool.Describe() {
			eventually(t, s.HSMID+" is stopped", func() bool { return stateOf(pool, s.HSMID) == hsmpool.Stopped })
		}
		closePool(t, pool)
		if got := count(h.journal.since(0), "C_Login") - before; got != 1 {
			t.Errorf("start %d: %d logins were tried, want 1", start, got)
		}
	}
	h.write(t, "pin", userPIN)
	pool := h.open(t)
	if err := pool.Await(t.Context(), 3); err != nil {
		t.Errorf("with the right PIN: %v", err)
	}
}

func stateOf(pool *hsmpool.Pool, hsmID string) hsmpool.State {
	for _, s := range pool.Describe() {
		if s.HSMID == hsmID {
			return s.State
		}
	}
	return 0
}
