package hsmpool

import (
	"context"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// checksPerHang is how often in a HangTimeout the worker is looked after.
	checksPerHang = 8
	// suspectsPerHang is the part of a HangTimeout after which other members are asked
	// in its place, if there are any: none of them costs anything, and a request that waited
	// for the whole of it would have no time left.
	suspectsPerHang = 4
	// maxReport bounds the time between two reports of a worker's progress.
	maxReport = time.Second
)

// reportEvery is how often a worker reports its progress.
func (c Config) reportEvery() time.Duration { return min(c.HangTimeout/checksPerHang, maxReport) }

// watch returns true when the worker is lost and false when ctx ends. It condemns a
// worker that hangs, and keeps the connection to an idle HSM alive. One look is not
// enough to condemn: if this process was paused the worker's messages wait unread.
func (m *member) watch(ctx context.Context, p *process) bool {
	ticker := time.NewTicker(max(m.cfg.reportEvery(), time.Millisecond))
	defer ticker.Stop()
	defer m.stuck.Store(false)
	var hung error
	for probed := time.Now(); ; {
		select {
		case <-ctx.Done():
			return false
		case <-p.lost:
			return true
		case now := <-ticker.C:
			hung = m.look(p, hung)
			if p.unanswered() == 0 && now.Sub(probed) >= m.cfg.HangTimeout && defence.On(defence.KeepAlive) {
				probed = now
				m.probe(p)
			}
		}
	}
}

// look looks after a worker that seemed to hang, or not, at the last look. It returns
// whether it does now.
func (m *member) look(p *process, before error) (hung error) {
	if !defence.On(defence.HangDetection) {
		return nil
	}
	hung = p.hung(m.cfg.HangTimeout)
	if hung != nil && before != nil {
		p.condemn(hung)
	}
	stuck := p.hung(m.cfg.HangTimeout/suspectsPerHang) != nil
	m.stuck.Store(stuck)
	if stuck && m.pool.relieves(m) {
		p.evacuate()
	}
	return hung
}

// relieves tells whether another member serves that does not seem to hang.
func (p *Pool) relieves(stuck *member) bool {
	for _, m := range p.members {
		if m != stuck && m.serving() && !m.stuck.Load() {
			return true
		}
	}
	return false
}

// probe asks an idle HSM for a random byte. Nobody waits for it: a failure or a hang
// shows as that of any request.
func (m *member) probe(p *process) {
	request := &workerv1.ToWorker{Request: &workerv1.ToWorker_Random{Random: &workerv1.RandomRequest{Length: 1}}}
	if err := p.send(request, newCall(false)); err != nil {
		m.log.Debug("probing the worker", "error", err)
	}
}

// hung returns why the worker counts as hung; nil if it does not. What counts is not how
// long a caller has waited, for many may share a slow HSM, but how long the worker has
// been at one request, or silent.
func (p *process) hung(after time.Duration) error {
	silent := time.Since(p.began) - time.Duration(p.heard.Load())
	progress := p.progress.Load()
	data, management := micros(progress.GetDataMicros()), micros(progress.GetManagementMicros())
	switch {
	case silent > after:
		return fmt.Errorf("the worker hung: it has been silent for %v", silent.Round(time.Millisecond))
	case data > after:
		return fmt.Errorf("the worker hung: the library has been at a request for %v", data.Round(time.Millisecond))
	case management > max(after, p.cfg.ManagementTimeout):
		return fmt.Errorf("the worker hung: the library has been making, destroying or listing keys for %v", management.Round(time.Millisecond))
	}
	return nil
}

func micros(n uint64) time.Duration { return time.Duration(n) * time.Microsecond }
