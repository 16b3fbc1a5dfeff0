package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// timing is what a child reports of its measured time.
type timing struct {
	Requests int64         `json:"requests"`
	Took     time.Duration `json:"took"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
}

// window runs work from many goroutines, measures the middle of it and prints
// where it begins and ends. Work gets its goroutine's number.
type window struct {
	warmup, duration time.Duration
	inFlight         int
	stdout           io.Writer

	begin, end time.Time
	latencies  [][]time.Duration // of each goroutine
}

// run returns when the measured time is over and all goroutines have ended.
func (w *window) run(ctx context.Context, work func(context.Context, int) error) (timing, error) {
	w.begin = time.Now().Add(w.warmup)
	w.end = w.begin.Add(w.duration)
	w.latencies = make([][]time.Duration, w.inFlight)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for i := range w.inFlight {
		all.Go(func() {
			if err := w.repeat(ctx, i, work); err != nil {
				cancel(err)
			}
		})
	}
	all.Go(func() { w.announce(ctx, w.begin, lineBegin) })
	all.Go(func() { w.announce(ctx, w.end, lineEnd) })
	all.Wait()
	return w.timing(), context.Cause(ctx)
}

// repeat works until the end and keeps the latencies of what was measured.
func (w *window) repeat(ctx context.Context, i int, work func(context.Context, int) error) error {
	for {
		start := time.Now()
		if start.After(w.end) {
			return nil
		}
		if err := work(ctx, i); err != nil {
			return err
		}
		end := time.Now()
		if end.After(w.begin) && end.Before(w.end) {
			w.latencies[i] = append(w.latencies[i], end.Sub(start))
		}
	}
}

func (w *window) announce(ctx context.Context, at time.Time, line string) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		fmt.Fprintln(w.stdout, line)
	case <-ctx.Done():
	}
}

func (w *window) timing() timing {
	all := slices.Concat(w.latencies...)
	slices.Sort(all)
	t := timing{Requests: int64(len(all)), Took: w.duration}
	if len(all) > 0 {
		t.P50, t.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return t
}

func printResult(w io.Writer, t timing) error {
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", lineResult, text)
	return err
}
