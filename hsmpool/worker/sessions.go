//go:build cgo

package worker

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// randomSessions are crypto11's: one for random bytes, and one that it keeps.
	randomSessions = 2
	// fixedSessions are crypto11's, the manager's and the lister's.
	fixedSessions = randomSessions + 2
	// spareSessions are left to others, of those that the token says it has.
	spareSessions = 1
	// executorsPerMaker keeps pairs that are made and handed out from taking many sessions:
	// they are asked for far less often than keys are used.
	executorsPerMaker = 8
)

// openExecutors opens the sessions of executors and makers: as many as are wanted, or as
// the token grants. Less than one of each is a failure.
func (s *server) openExecutors(wanted int, random io.Reader) ([]*executor, error) {
	n := affordable(wanted, s.token.limit())
	first, err := s.openSome(1, 1, random)
	if err != nil {
		return nil, err
	}
	executors, err := s.openSome(n, 1, random)
	if err != nil {
		return nil, err
	}
	serving := &atomic.Int32{}
	serving.Store(int32(len(executors)))
	for _, e := range executors {
		e.serving = serving
	}
	more, err := s.openSome(len(executors)/executorsPerMaker-1, 0, random)
	if err != nil {
		return nil, err
	}
	for _, e := range append(first, more...) {
		s.makers = append(s.makers, &maker{executor: e, lane: newLane()})
	}
	if len(executors) < wanted {
		s.log.Warn("the token grants fewer sessions than were asked for: lower hsm.sessions, or what others use",
			"token", s.token.info.Label, "executors", len(executors), "asked", wanted, "limit", s.token.limit())
	}
	if len(executors) == 1 {
		s.batch = flushEvery
	}
	return executors, nil
}

// affordable is how many executors a token has sessions for that allows so many; 0: any
// number.
func affordable(wanted, limit int) int {
	if limit == 0 || !defence.On(defence.FewerSessions) {
		return wanted
	}
	n := limit - fixedSessions - spareSessions
	return max(1, min(wanted, n-max(1, n/(executorsPerMaker+1))))
}

// limit is the most sessions that the token says it allows; 0 if it sets no limit or tells
// none.
func (t *token) limit() int { return int(maxSessions(t.info)) }

// openSome opens the sessions of n executors, or fewer if the token grants no more, but at
// least so many.
func (s *server) openSome(n, least int, random io.Reader) (opened []*executor, err error) {
	for len(opened) < n {
		e, err := newExecutor(s.token, s.objects, random)
		if len(opened) >= least && noMoreSessions(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		opened = append(opened, e)
	}
	return opened, nil
}

// noMoreSessions tells whether a session could not be opened because there are too many,
// which those that are open can bear.
func noMoreSessions(err error) bool {
	var f *fault
	return errors.As(err, &f) && f.function == "C_OpenSession" && f.class == workerv1.FailureClass_FAILURE_CLASS_BUSY &&
		slices.Contains([]ckr.RV{ckr.SessionCount, ckr.DeviceMemory, ckr.TokenResourceExceeded, ckr.ArgumentsBad}, f.rv) &&
		defence.On(defence.FewerSessions)
}

// sessions is how many the worker has.
func (s *server) sessions() uint32 {
	return uint32(int(s.executors[0].serving.Load()) + len(s.makers) + fixedSessions)
}

// renew replaces the executor's session after an error. If the token grants no other one,
// the executor ends and the others go on; the last one cannot, and the worker is replaced.
func (e *executor) renew() error {
	err := e.token.renewSession(&e.session)
	if noMoreSessions(err) && e.end() {
		e.token.log.Warn("the token grants no session in the place of one that was lost: going on with fewer",
			"token", e.token.info.Label, "executors", e.serving.Load())
		asFault(err).restart = false
	}
	return err
}

// end has the executor serve no more, unless it is the last one.
func (e *executor) end() bool {
	for e.serving != nil {
		left := e.serving.Load() - 1
		if left < 1 {
			return false
		}
		if e.serving.CompareAndSwap(left+1, left) {
			e.ended = true
			return true
		}
	}
	return false
}
