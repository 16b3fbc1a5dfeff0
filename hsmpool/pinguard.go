package hsmpool

import (
	"context"
	"sync"
)

// PINGuard remembers what became of logins to tokens, by their serial numbers, for all
// who log in to them, so that no PIN is tried twice that a token has refused: HSMs lock
// after a few. What it has noted is durable when it returns nil.
type PINGuard interface {
	// Begin notes that a login is about to be tried, and returns what is known of those
	// before it.
	Begin(ctx context.Context, serial string) (LoginHistory, error)
	// Undecided notes that a login has ended without the token judging the PIN, or was not
	// tried.
	Undecided(ctx context.Context, serial string) error
	// Refused notes that a login has ended with the token refusing the PIN.
	Refused(ctx context.Context, serial string, pin RefusedPIN) error
	// Forget notes that a login has succeeded, or that an operator has acted: nothing that
	// was refused before is held against a PIN any more.
	Forget(ctx context.Context, serial string) error
}

// LoginHistory is what is known of the logins to a token since the last that succeeded.
type LoginHistory struct {
	// Refused are the PINs that the token has refused.
	Refused []RefusedPIN
	// Open counts logins, before the one that begins, of which nobody knows how they
	// ended: the process was lost first. The token may have counted them.
	Open int
}

// RefusedPIN names a PIN without telling it: Hash is PBKDF2 with HMAC-SHA-256 of it and
// of Salt.
type RefusedPIN struct{ Salt, Hash []byte }

// memoryGuard is a PINGuard that lasts as long as the process.
type memoryGuard struct {
	mu     sync.Mutex
	logins map[string]LoginHistory
}

func newMemoryGuard() *memoryGuard { return &memoryGuard{logins: map[string]LoginHistory{}} }

// change changes what is known of a token, and returns what was.
func (g *memoryGuard) change(serial string, by func(*LoginHistory)) LoginHistory {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.logins[serial]
	after := before
	by(&after)
	g.logins[serial] = after
	return before
}

func (g *memoryGuard) Begin(_ context.Context, serial string) (LoginHistory, error) {
	return g.change(serial, func(h *LoginHistory) { h.Open++ }), nil
}

func (g *memoryGuard) Undecided(_ context.Context, serial string) error {
	g.change(serial, func(h *LoginHistory) { h.Open = max(0, h.Open-1) })
	return nil
}

func (g *memoryGuard) Refused(_ context.Context, serial string, pin RefusedPIN) error {
	g.change(serial, func(h *LoginHistory) {
		*h = LoginHistory{Refused: append(h.Refused[:len(h.Refused):len(h.Refused)], pin)}
	})
	return nil
}

func (g *memoryGuard) Forget(_ context.Context, serial string) error {
	g.change(serial, func(h *LoginHistory) { *h = LoginHistory{} })
	return nil
}
