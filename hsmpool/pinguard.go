package hsmpool

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// turnWait is how long a login waits for another of this process to the same token.
	turnWait = 10 * time.Second
	// openWait is how long a login waits for one that another process has begun: it is
	// over by then, or that process was lost.
	openWait = 3 * time.Second
	// openPoll is how often it looks meanwhile.
	openPoll = 100 * time.Millisecond
	// maxRefused bounds the PINs that are remembered of a token: far more than any HSM
	// lets pass that locks.
	maxRefused = 256
)

// LoginStore keeps what is known of logins.
type LoginStore interface {
	// Update has what is known of the logins to a token, by its serial number, changed, as
	// one step for all who use the store, and returns what was known before. What change
	// made is durable when the error is nil. It may be called several times.
	Update(ctx context.Context, serial string, change func(*LoginHistory)) (before LoginHistory, err error)
}

// LoginHistory is what is known of the logins to a token since the last that succeeded.
type LoginHistory struct {
	// Refused are the PINs that the token has refused, oldest first.
	Refused []RefusedPIN
	// Open counts logins that have begun and of which nobody knows how they ended: they
	// are under way, or the process was lost first. The token may have counted them.
	Open int
}

// RefusedPIN names a PIN without telling it: Hash is PBKDF2 with HMAC-SHA-256 of it and
// of Salt. At is when the token refused it.
type RefusedPIN struct {
	Salt, Hash []byte
	At         time.Time
}

// is tells whether it names the same PIN as another, by the same salt.
func (p RefusedPIN) is(other RefusedPIN) bool {
	return bytes.Equal(p.Salt, other.Salt) && bytes.Equal(p.Hash, other.Hash)
}

// keep returns the newest of refused PINs.
func keep(refused []RefusedPIN) []RefusedPIN { return refused[max(0, len(refused)-maxRefused):] }

// PINGuard sees to it that no PIN is tried twice that a token has refused: HSMs lock after
// a few. It remembers what became of logins for all who log in by way of one LoginStore,
// and has the logins to a token take turns, so that one learns of the other. All methods
// may be called by many goroutines.
type PINGuard struct {
	store LoginStore

	mu    sync.Mutex
	turns map[string]chan struct{} // by the tokens' serial numbers; closed when the turn is over
	lost  map[string]int           // logins that are open and not under way
}

// NewPINGuard returns a guard that keeps its notes in a store.
func NewPINGuard(s LoginStore) *PINGuard {
	return &PINGuard{store: s, turns: map[string]chan struct{}{}, lost: map[string]int{}}
}

// attempt is a login that is about to be tried, under way, or over.
type attempt struct {
	guard  *PINGuard
	serial string
	turn   chan struct{}
	// known is what was known before it.
	known LoginHistory
	// open is how many logins nobody knows the end of when this one is over.
	open int
}

// begin notes that a login to a token is about to be tried. It waits, some seconds at most,
// for one that is under way, which may be by the same PIN.
func (g *PINGuard) begin(ctx context.Context, serial string) (*attempt, error) {
	turn, err := g.take(ctx, serial)
	if err != nil {
		return nil, err
	}
	a := &attempt{guard: g, serial: serial, turn: turn}
	if a.known, err = g.note(ctx, serial); err != nil {
		a.open = g.known(serial)
		a.end()
		return nil, err
	}
	a.open = a.known.Open + 1
	return a, nil
}

// take waits for the turn to log in to a token. It is taken from one who keeps it too long.
func (g *PINGuard) take(ctx context.Context, serial string) (chan struct{}, error) {
	patience := time.NewTimer(turnWait)
	defer patience.Stop()
	for late := false; ; {
		g.mu.Lock()
		other, mine := g.turns[serial], make(chan struct{})
		if other == nil || late {
			g.turns[serial] = mine
		}
		g.mu.Unlock()
		if other == nil || late {
			return mine, nil
		}
		select {
		case <-other:
		case <-patience.C:
			late = true
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another login to the token: %w", ctx.Err())
		}
	}
}

// note notes that a login begins, once none is under way by another process.
func (g *PINGuard) note(ctx context.Context, serial string) (LoginHistory, error) {
	patience, poll := time.NewTimer(openWait), time.NewTicker(openPoll)
	defer patience.Stop()
	defer poll.Stop()
	for over := g.known(serial); ; {
		noted := false
		known, err := g.store.Update(ctx, serial, func(h *LoginHistory) {
			if noted = over < 0 || h.Open <= over; noted {
				h.Open++
			}
		})
		if err != nil {
			return LoginHistory{}, err
		}
		if noted {
			g.lose(serial, known.Open)
			return known, nil
		}
		select {
		case <-poll.C:
		case <-patience.C:
			over = -1 // whatever is open
		case <-ctx.Done():
			return LoginHistory{}, fmt.Errorf("waiting for another server's login to the token: %w", ctx.Err())
		}
	}
}

// known counts the open logins of which it is known that they are over, lose sets it.
func (g *PINGuard) known(serial string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lost[serial]
}

func (g *PINGuard) lose(serial string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lost[serial] = n
}

// forget forgets all logins to a token: an operator has acted, and nothing that was
// refused before is held against a PIN any more.
func (g *PINGuard) forget(ctx context.Context, serial string) error {
	_, err := g.store.Update(ctx, serial, func(h *LoginHistory) { *h = LoginHistory{} })
	return err
}

// undecided notes that the token has not judged the PIN, or that it was not tried.
func (a *attempt) undecided(ctx context.Context) error {
	return a.decide(ctx, func(h *LoginHistory) { h.Open = max(0, h.Open-1) })
}

// refused notes that the token has refused the PIN.
func (a *attempt) refused(ctx context.Context, pin RefusedPIN) error {
	return a.decide(ctx, func(h *LoginHistory) {
		*h = LoginHistory{Refused: keep(append(slices.Clone(h.Refused), pin))}
	})
}

// forbidden notes that the PIN was not tried, because this token or another one of its
// cluster has refused it.
func (a *attempt) forbidden(ctx context.Context, pin RefusedPIN) error {
	return a.decide(ctx, func(h *LoginHistory) {
		h.Open = max(0, h.Open-1)
		if !slices.ContainsFunc(h.Refused, pin.is) {
			h.Refused = keep(append(slices.Clone(h.Refused), pin))
		}
	})
}

// succeeded notes that the token has accepted the PIN.
func (a *attempt) succeeded(ctx context.Context) error {
	return a.decide(ctx, func(h *LoginHistory) { *h = LoginHistory{} })
}

func (a *attempt) decide(ctx context.Context, change func(*LoginHistory)) error {
	open := 0
	_, err := a.guard.store.Update(ctx, a.serial, func(h *LoginHistory) {
		change(h)
		open = h.Open
	})
	if err == nil {
		a.open = open
	}
	return err
}

// end gives the turn back. A login of which nothing was noted stays open.
func (a *attempt) end() {
	g := a.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lost[a.serial] = a.open
	close(a.turn)
	maps.DeleteFunc(g.turns, func(_ string, turn chan struct{}) bool { return turn == a.turn })
}

// memoryLogins is a LoginStore that lasts as long as the process.
type memoryLogins struct {
	mu     sync.Mutex
	logins map[string]LoginHistory
}

func newMemoryLogins() *memoryLogins { return &memoryLogins{logins: map[string]LoginHistory{}} }

// Update implements LoginStore.
func (s *memoryLogins) Update(_ context.Context, serial string, change func(*LoginHistory)) (LoginHistory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.logins[serial]
	after := before
	change(&after)
	s.logins[serial] = after
	return before, nil
}
