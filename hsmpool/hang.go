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
// enough: if this process was paused the worker's messages wait unread.
func (m *member) watch(ctx context.Context, p *process) bool {
	ticker := time.NewTicker(max(m.cfg.reportEvery(), time.Millisecond))
	defer ticker.Stop()
	defer m.stuck.Store(false)
	var before looked
	for probed := time.Now(); ; {
		select {
		case <-ctx.Done():
			return false
		case <-p.lost:
			return true
		case now := <-ticker.C:
			before = m.look(p, before)
			idle := p.unanswered() == 0 && now.Sub(probed) >= m.cfg.HangTimeout && defence.On(defence.KeepAlive)
			if suspended := m.breaker.open() && m.breaker.ready(now) && m.withdrawn.Load() == nil; idle || suspended {
				probed = now
				m.probe(p)
			}
		}
	}
}

// looked is what a look at a worker has found.
type looked struct{ stuck, hung bool }

// look looks after a worker. It acts on what was so at the last look, too.
func (m *member) look(p *process, before looked) (now looked) {
	if !defence.On(defence.HangDetection) {
		return now
	}
	hung := p.hung(m.cfg.HangTimeout)
	now = looked{stuck: p.hung(m.cfg.HangTimeout/suspectsPerHang) != nil, hung: hung != nil}
	if now.hung && before.hung {
		p.condemn(hung)
	}
	if stuck := now.stuck && before.stuck; m.stuck.Swap(stuck) != stuck {
		m.pool.changed()
	}
	if m.stuck.Load() && m.pool.relieves(m) {
		p.evacuate()
	}
	return now
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

// probe asks an HSM that is idle, or suspended, for a random byte. Nobody waits for it: a
// failure or a hang shows as that of any request, and an answer ends a suspension.
func (m *member) probe(p *process) {
	request := &workerv1.ToWorker{Request: &workerv1.ToWorker_Random{Random: &workerv1.RandomRequest{Length: 1}}}
	c := newCall(false)
	c.ended = func(v verdict) {
		m.breaker.judge(time.Now(), v)
		m.pool.changed()
	}
	m.breaker.enter()
	if err := p.send(request, c); err != nil {
		c.ended(undecided)
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
