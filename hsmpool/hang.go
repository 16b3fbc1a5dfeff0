package hsmpool

import (
	"fmt"
	"time"
)

// maxReport bounds the time between two reports of a worker's progress.
const maxReport = time.Second

// reportEvery is how often a worker reports its progress.
func (c Config) reportEvery() time.Duration { return min(c.HangTimeout/checksPerHang, maxReport) }

// hung returns why the worker counts as hung; nil if it does not. What counts is not how
// long a caller has waited, for many may share a slow HSM, but how long the worker has
// been at one request, or silent.
func (p *process) hung() error {
	silent := time.Since(p.began) - time.Duration(p.heard.Load())
	progress := p.progress.Load()
	data, management := micros(progress.GetDataMicros()), micros(progress.GetManagementMicros())
	switch {
	case silent > p.cfg.HangTimeout:
		return fmt.Errorf("the worker hung: it has been silent for %v", silent.Round(time.Millisecond))
	case data > p.cfg.HangTimeout:
		return fmt.Errorf("the worker hung: the library has been at a request for %v", data.Round(time.Millisecond))
	case management > p.cfg.ManagementTimeout:
		return fmt.Errorf("the worker hung: the library has been making or destroying a key for %v", management.Round(time.Millisecond))
	}
	return nil
}

func micros(n uint64) time.Duration { return time.Duration(n) * time.Microsecond }
