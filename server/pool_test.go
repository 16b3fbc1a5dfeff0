package server

import (
	"strings"
	"testing"
)

func TestPoolBoundsAllAndEachPrincipal(t *testing.T) {
	p := newPool(8, "requests", "limits.max_in_flight")
	enter := func(principal string, want int, why string) {
		t.Helper()
		for got := 0; ; got++ {
			refusal := p.enter(principal)
			if refusal == "" {
				continue
			}
			if got != want || !strings.Contains(refusal, why) || !strings.Contains(refusal, "limits.max_in_flight") {
				t.Errorf("%s entered %d times and then heard %q; want %d times and %q", principal, got, refusal, want, why)
			}
			return
		}
	}
	enter("alice", 6, "The caller is at its limit of 6 requests")
	enter("bob", 2, "The server is at its limit of 8 requests")
	p.leave("alice")
	enter("bob", 1, "The server is at its limit of 8 requests")
	for range 5 {
		p.leave("alice")
	}
	enter("bob", 3, "The caller is at its limit of 6 requests")
	for range 6 {
		p.leave("bob")
	}
	if p.inUse() != 0 || len(p.by) != 0 {
		t.Errorf("%d places of %v are in use after all have left", p.inUse(), p.by)
	}
}

func TestTheSmallestPoolsLetSomebodyIn(t *testing.T) {
	for limit, share := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 512: 384} {
		if p := newPool(limit, "", ""); p.share != share {
			t.Errorf("of %d places one principal gets %d, want %d", limit, p.share, share)
		}
	}
}
