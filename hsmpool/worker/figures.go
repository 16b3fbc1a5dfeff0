//go:build cgo

package worker

import (
	"time"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// askEvery is the least time between two questions to the token how it is: its library may
// have to ask a device that has other things to do.
const askEvery = time.Second

// figures returns what there is to report since the last time.
func (s *server) figures() *workerv1.Figures {
	f := s.counts.take()
	f.Token = s.state.Swap(nil)
	if s.objects != nil {
		f.TokenKeys = s.objects.count()
	}
	if len(s.executors) > 0 {
		f.Sessions = s.sessions()
	}
	return f
}

// tell tells the server of the progress and of the figures.
func (s *server) tell() error {
	m := s.progress.message()
	m.Figures = s.figures()
	return send(s.conn, &workerv1.FromWorker{Message: &workerv1.FromWorker_Progress{Progress: m}})
}

// tellEnd tells the server of the figures of a worker that could not start.
func (s *server) tellEnd() {
	if err := s.tell(); err != nil {
		s.log.Debug("reporting to a server that is gone", "error", err)
	}
}

// askToken asks the token from time to time what it says of its sessions and its PIN, until
// the worker is to stop. That needs no session, and no request waits for it: if it hangs, what
// is known grows old.
func (s *server) askToken(every time.Duration) {
	ticker := time.NewTicker(max(every, askEvery))
	defer ticker.Stop()
	for {
		select {
		case <-s.stopping:
			return
		case <-ticker.C:
		}
		if info, err := s.token.ctx.GetTokenInfo(s.token.slot); err == nil {
			s.state.Store(stateOf(info))
		}
	}
}
