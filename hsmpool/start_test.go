package hsmpool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// A pool that is started without its token says so, and serves once there is one.
func TestStartWithoutTheToken(t *testing.T) {
	h := newEmptyHSM(t)
	pool, err := hsmpool.Start(h.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	if err := pool.Await(t.Context(), 1); !errors.Is(err, hsmpool.ErrNoToken) {
		t.Fatalf("without a token: got %v, want ErrNoToken", err)
	}
	_, err = pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: newID(), Label: "nobody's", Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	if e := hsmError(t, err, hsmpool.Unavailable); !e.Unasked {
		t.Errorf("a key may have been made without a token: %+v", e)
	}
	if err := pool.Health(); err == nil {
		t.Error("a pool without a token is healthy")
	}
	if err := hsmpool.InitToken(t.Context(), h.initConfig()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pool is ready", func() bool { return pool.Health() == nil })
	generate(t, pool)
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	pool, err := hsmpool.Start(newHSM(t).config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantClass(t, pool.Await(ctx, 1), hsmpool.Timeout)
	if err := pool.Await(t.Context(), 1); err != nil {
		t.Errorf("a good token: %v", err)
	}
}
