package ship

import (
	"sync"
	"time"
)

// Progress is the Status of a sink as it changes. Its methods may be called from many
// goroutines. The zero value is ready for use.
type Progress struct {
	mu     sync.Mutex
	status Status
	oldest time.Time // of the records beyond Sequence; zero: none is known
}

// Saved notes that a cursor says seq.
func (p *Progress) Saved(seq uint64) {
	p.change(func(s *Status) {
		s.Sequence = seq
		p.oldest = time.Time{}
	})
}

// WaitsSince notes when the oldest record was made that the sink does not have, unless an
// older one is known.
func (p *Progress) WaitsSince(at time.Time) {
	p.change(func(*Status) {
		if p.oldest.IsZero() {
			p.oldest = at
		}
	})
}

// Took notes that the sink has taken n things, and works.
func (p *Progress) Took(n int) {
	p.change(func(s *Status) {
		s.Sent += uint64(n)
		s.LastError, s.Blocked = "", false
	})
}

// Failed notes an attempt that failed.
func (p *Progress) Failed(err error) {
	p.change(func(s *Status) {
		s.Errors++
		s.LastError = err.Error()
	})
}

// Block notes that nothing is sent until a refusal is put right.
func (p *Progress) Block() { p.change(func(s *Status) { s.Blocked = true }) }

func (p *Progress) skipped(n int) { p.change(func(s *Status) { s.Skipped += uint64(n) }) }

func (p *Progress) missed(n uint64) { p.change(func(s *Status) { s.Missed += n }) }

func (p *Progress) change(f func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.status)
}

// At returns the Status beside a journal that ends at record head.
func (p *Progress) At(head uint64, now time.Time) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	if head > s.Sequence {
		s.LagRecords = head - s.Sequence
		if !p.oldest.IsZero() {
			s.LagOldest = max(now.Sub(p.oldest), 0)
		}
	}
	return s
}
