package hsmpool

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// tally gathers what a member's workers report, one after the other. Its methods may be
// called by many goroutines.
type tally struct {
	mu       sync.Mutex
	figures  Figures
	sessions uint32
	// token is what the token has said last of its sessions and its PIN; nil before it has
	// said anything.
	token *workerv1.TokenState
}

// learn takes in a report. What it counts are the calls since the report before it.
func (t *tally) learn(f *workerv1.Figures, now time.Time) {
	if f == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.figures.At = now
	t.figures.SessionKeys = f.GetSessionKeys()
	if f.GetSessions() > 0 { // otherwise it could not start, and knows of none
		t.figures.TokenKeys = f.GetTokenKeys()
	}
	t.figures.OctetsIn += f.GetOctetsIn()
	t.figures.OctetsOut += f.GetOctetsOut()
	t.sessions = f.GetSessions()
	if f.GetToken() != nil {
		t.setToken(f.GetToken())
	}
	for _, c := range f.GetCalls() {
		t.count(CallCount{
			Function: c.GetFunction(), Mechanism: c.GetMechanism(), RV: c.GetRv(),
			Count: c.GetCount(), Took: time.Duration(c.GetNanos()),
		})
	}
}

// learnToken takes in what a token says of itself.
func (t *tally) learnToken(s *workerv1.TokenState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setToken(s)
}

func (t *tally) setToken(s *workerv1.TokenState) {
	t.token = s
	t.figures.TokenSessions, t.figures.MaxSessions = s.GetSessions(), s.GetMaxSessions()
}

// maxSorts bounds the sorts of calls that are told apart, of all workers together: a library
// may answer each something else.
const maxSorts = 1024

// count adds calls to those that ended alike. When there are too many sorts, mechanism and
// code of new ones are no longer told apart.
func (t *tally) count(c CallCount) {
	at, found := slices.BinarySearchFunc(t.figures.Calls, c, inOrder)
	if !found && len(t.figures.Calls) >= maxSorts {
		c.Mechanism, c.RV = "", min(c.RV, uint32(ckr.GeneralError))
		at, found = slices.BinarySearchFunc(t.figures.Calls, c, inOrder)
	}
	if !found {
		t.figures.Calls = slices.Insert(t.figures.Calls, at, c)
		return
	}
	t.figures.Calls[at].Count += c.Count
	t.figures.Calls[at].Took += c.Took
}

// inOrder orders calls by function, mechanism and code.
func inOrder(a, b CallCount) int {
	return cmp.Or(strings.Compare(a.Function, b.Function), strings.Compare(a.Mechanism, b.Mechanism), cmp.Compare(a.RV, b.RV))
}

// report returns the figures so far.
func (t *tally) report() Figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.figures
	f.Calls = slices.Clone(f.Calls)
	return f
}

// sessionsOpen returns how many sessions the worker has; 0 if it has not said so.
func (t *tally) sessionsOpen() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions
}

// tokenState returns what the token has said last; nil if nothing.
func (t *tally) tokenState() *workerv1.TokenState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token
}
