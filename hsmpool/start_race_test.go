package hsmpool_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// TestStartsAtTheSameMoment starts many workers on one SoftHSM directory, whose token each
// of them rewrites when it logs in. All come up at their first try.
func TestStartsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	const workers = 10
	h := newHSM(t)
	id := generate(t, h.open(t))
	before := h.journal.len()
	var log syncBuffer
	config := h.config
	config.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: &log})
	pools := make([]*hsmpool.Pool, workers)
	var starts sync.WaitGroup
	for i := range pools {
		starts.Go(func() {
			var err error
			if pools[i], err = hsmpool.Open(t.Context(), config); err != nil {
				t.Errorf("Open: %v", err)
			}
		})
	}
	starts.Wait()
	for _, pool := range pools {
		if pool == nil {
			continue
		}
		if _, err := pool.Seal(t.Context(), id, []byte("x"), nil); err != nil || pool.Describe()[0].Restarts != 0 {
			t.Errorf("Seal: %v; %+v", err, pool.Describe()[0])
		}
	}
	for _, e := range h.journal.since(before) {
		if e.RV != 0 {
			t.Errorf("%s: 0x%x", e.Function, e.RV)
		}
	}
	for _, pool := range pools {
		if pool != nil {
			closePool(t, pool)
		}
	}
	if said := log.String(); said != "" {
		t.Errorf("the log warns:\n%s", said)
	}
}

// syncBuffer is a buffer for many goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
