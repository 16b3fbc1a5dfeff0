package main

import (
	"context"
	"sync"
	"time"
)

// closed calls from goroutines that each wait for their answer.
func (l *load) closed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	var all sync.WaitGroup
	for i := range l.loops {
		all.Go(func() {
			for ctx.Err() == nil {
				l.call(ctx, i)
			}
		})
	}
	all.Wait()
}

// mostOutstanding is how many calls open has under way on each connection; beyond
// it a call is counted as not sent. The load has the same processors as the
// server: with more it would measure how long its own calls wait for them.
const mostOutstanding = 64

// open calls at a rate, whatever the answers.
func (l *load) open(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	outstanding := make(chan struct{}, mostOutstanding*len(l.clients))
	var all sync.WaitGroup
	defer all.Wait()
	start, sent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(start).Seconds() * float64(l.rate)); sent < due; sent++ {
			select {
			case outstanding <- struct{}{}:
				i := sent
				all.Go(func() {
					defer func() { <-outstanding }()
					l.call(ctx, i)
				})
			default:
				l.tally.notSent()
			}
		}
	}
}
