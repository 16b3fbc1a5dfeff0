package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

// tokens are secrets that were given out, each for a principal. Only their hashes are
// kept.
type tokens struct {
	// limit is how many there are at most, share how many of the same principal: a further
	// one takes the place of its oldest.
	limit, share int

	mu  sync.Mutex
	all []token // oldest first
}

// token is a secret and what it stands for.
type token struct {
	hash [sha256.Size]byte
	// identity is the principal's of when the token was made.
	principal, identity string
	// ends is when it is over, used when it was last used; zero idle: that does not matter.
	ends, used time.Time
	idle       time.Duration
}

func (t token) over(now time.Time) bool {
	return !now.Before(t.ends) || t.idle > 0 && now.Sub(t.used) >= t.idle
}

// name tells a token from others in logs and events, and does not help to guess it.
func (t token) name() string { return "console:" + hex.EncodeToString(t.hash[:8]) }

// add returns a new secret of 130 bits, unless there are too many tokens.
func (t *tokens) add(now time.Time, made token) (secret string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = slices.DeleteFunc(t.all, func(old token) bool { return old.over(now) })
	t.makeRoom(made.principal)
	if len(t.all) >= t.limit {
		return "", false
	}
	secret = rand.Text()
	made.hash, made.used = sha256.Sum256([]byte(secret)), now
	t.all = append(t.all, made)
	return secret, true
}

// makeRoom removes the oldest token of a principal that has its share.
func (t *tokens) makeRoom(principal string) {
	own, oldest := 0, -1
	for i, old := range t.all {
		if old.principal == principal {
			own++
			if oldest < 0 {
				oldest = i
			}
		}
	}
	if own >= t.share {
		t.all = slices.Delete(t.all, oldest, oldest+1)
	}
}

// find returns the token of a secret, unless it is over. If use is set, it has been used
// now.
func (t *tokens) find(now time.Time, secret string, use bool) (token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(secret)
	if i < 0 || t.all[i].over(now) {
		return token{}, false
	}
	if use {
		t.all[i].used = now
	}
	return t.all[i], true
}

// take is find that removes the token.
func (t *tokens) take(now time.Time, secret string) (token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(secret)
	if i < 0 {
		return token{}, false
	}
	taken := t.all[i]
	t.all = slices.Delete(t.all, i, i+1)
	return taken, !taken.over(now)
}

// index compares with all hashes, in the same time whether and where it is found; -1 if it
// is not.
func (t *tokens) index(secret string) int {
	hash, found := sha256.Sum256([]byte(secret)), -1
	for i := range t.all {
		equal := subtle.ConstantTimeCompare(hash[:], t.all[i].hash[:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	return found
}
