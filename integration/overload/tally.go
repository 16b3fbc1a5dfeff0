package main

import (
	"bufio"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Result is what came of a run.
type Result struct {
	// Accepted is how many calls succeeded, P50, P99 and Max how long they took.
	Accepted      int
	P50, P99, Max time.Duration
	// Errors counts the others by what they said.
	Errors map[string]*ErrorCount
	// NotSent is how many calls were due and not made, because too many were
	// waiting already.
	NotSent int
}

// ErrorCount counts calls that ended with the same error.
type ErrorCount struct {
	Count int
	// WithoutID of them had no request id, so that they left no event.
	WithoutID int
	// WithoutDelay of them did not say when to try again.
	WithoutDelay int
}

// tally counts the answers.
type tally struct {
	mu       sync.Mutex
	ids      *bufio.Writer
	accepted []time.Duration
	res      Result
}

func newTally(ids *bufio.Writer) *tally {
	return &tally{ids: ids, res: Result{Errors: map[string]*ErrorCount{}}}
}

func (t *tally) notSent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.NotSent++
}

// add counts a call. A failure to write shows when ids is flushed.
func (t *tally) add(id string, took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != "" {
		fmt.Fprintf(t.ids, "%s %s\n", id, harness.ErrorInfo(err).GetReason())
	}
	if err == nil {
		t.accepted = append(t.accepted, took)
		return
	}
	s := status.Convert(err)
	text := fmt.Sprintf("%v: %s", s.Code(), s.Message())
	count := t.res.Errors[text]
	if count == nil {
		count = new(ErrorCount)
		t.res.Errors[text] = count
	}
	count.Count++
	if id == "" {
		count.WithoutID++
	}
	if !slices.ContainsFunc(s.Details(), isRetryInfo) {
		count.WithoutDelay++
	}
}

func isRetryInfo(detail any) bool {
	_, ok := detail.(*errdetails.RetryInfo)
	return ok
}

func (t *tally) result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.accepted)
	if n := len(t.accepted); n > 0 {
		t.res.Accepted = n
		t.res.P50, t.res.P99, t.res.Max = t.accepted[n/2], t.accepted[n*99/100], t.accepted[n-1]
	}
	return t.res
}
