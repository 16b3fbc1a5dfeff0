package present_test

import (
	"testing"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
)

func TestCounts(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 entries", 1: "1 entry", 2: "2 entries"} {
		if got := present.Count(n, "entry", "entries"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
