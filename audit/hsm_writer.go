package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// retryInterval is how long the writer waits before it tries again to write
// entries that could not be written.
const retryInterval = time.Second

// maxAtOnce is how many entries one append takes, so that it fits the journal.
const maxAtOnce = 16

// appender is the journal that entries go to.
type appender interface {
	Append(ctx context.Context, entries ...journal.Entry) (uint64, error)
}

// hsmWriter numbers HSM entries and writes them in the order of their numbers.
//
// A number once given is never given again and never skipped: entries wait in
// one queue until they are durable, whatever becomes of the caller. One
// goroutine appends, one batch at a time, so that an entry that failed is
// written again before any later one.
type hsmWriter struct {
	journal appender
	cancel  context.CancelFunc
	wake    chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	hsms    map[string]hsmState // with the numbers that are given
	queue   []journal.Entry     // not yet durable
	written uint64              // entries ever written
	queued  uint64              // entries ever queued
	waiters []waiter
	closed  bool
}

// waiter waits until so many entries are written.
type waiter struct {
	upTo uint64
	done chan error // holds one
}

func newHSMWriter(j appender, hsms map[string]hsmState) *hsmWriter {
	return &hsmWriter{journal: j, hsms: hsms, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

func (w *hsmWriter) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go w.run(ctx)
}

// close writes what is queued, once, and stops. It waits no longer than ctx.
func (w *hsmWriter) close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.poke()
	defer w.cancel()
	select {
	case <-w.done:
	case <-ctx.Done():
		return fmt.Errorf("closing the HSM logs: %w", ctx.Err())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.queue); n > 0 {
		return fmt.Errorf("closing the HSM logs: %d entries are lost: %w", n, journal.ErrUnavailable)
	}
	return nil
}

// record queues an entry for each command and waits until they are durable.
func (w *hsmWriter) record(ctx context.Context, hsmID string, cmds []HSMCommand) error {
	if len(cmds) == 0 {
		return nil
	}
	return w.queueAndWait(ctx, func() {
		for _, c := range cmds {
			w.queueEntry(hsmID, limited(c))
		}
	})
}

// boot queues the next reboot counter and waits until it is durable.
func (w *hsmWriter) boot(ctx context.Context, hsmID string) (uint32, error) {
	var counter uint32
	err := w.queueAndWait(ctx, func() {
		h := w.hsms[hsmID]
		h.RebootCounter++
		counter = h.RebootCounter
		w.hsms[hsmID] = h
		w.push(journal.Entry{Kind: kindBoot, Body: boot{HSM: hsmID, RebootCounter: counter}.appendJSON(nil)})
	})
	if err != nil {
		return 0, err
	}
	return counter, nil
}

// queueEntry gives a command its number. w.mu is held.
func (w *hsmWriter) queueEntry(hsmID string, c HSMCommand) {
	h := w.hsms[hsmID]
	opcode := opcodeOf(c)
	e := HSMEntry{
		HSM: hsmID, SequenceNo: h.NextSequenceNo, RebootCounter: h.RebootCounter,
		CommandType: CommandManagement, Opcode: opcode, LogType: logTypeOf(opcode, c.UserName), HSMCommand: c,
	}
	h.NextSequenceNo++
	w.hsms[hsmID] = h
	w.push(journal.Entry{Kind: kindHSMEntry, Body: e.AppendJSON(nil)})
}

// limited bounds what comes from a worker, so that entries fit the journal.
func limited(c HSMCommand) HSMCommand {
	for _, s := range []*string{&c.Function, &c.UserName, &c.KeyLabel, &c.KeyID, &c.RequestID} {
		*s = cut(*s, maxEventString)
	}
	return c
}

func (w *hsmWriter) push(e journal.Entry) {
	w.queue = append(w.queue, e)
	w.queued++
}

func (w *hsmWriter) queueAndWait(ctx context.Context, queue func()) error {
	wait := waiter{done: make(chan error, 1)}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return journal.ErrClosed
	}
	queue()
	wait.upTo = w.queued
	w.waiters = append(w.waiters, wait)
	w.mu.Unlock()
	w.poke()
	select {
	case err := <-wait.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *hsmWriter) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *hsmWriter) run(ctx context.Context) {
	defer close(w.done)
	retry := time.NewTimer(retryInterval)
	defer retry.Stop()
	for {
		retry.Stop()
		closing, err := w.flush(ctx)
		if closing {
			return
		}
		if err != nil {
			retry.Reset(retryInterval)
		}
		select {
		case <-w.wake:
		case <-retry.C:
		}
	}
}

// flush appends the queue and answers those who wait. After an error the queue
// is kept. It says whether the writer was closed before.
func (w *hsmWriter) flush(ctx context.Context) (closing bool, err error) {
	for err == nil {
		w.mu.Lock()
		batch := w.queue[:min(len(w.queue), maxAtOnce)]
		closing = w.closed
		w.mu.Unlock()
		if len(batch) == 0 {
			return closing, nil
		}
		_, err = w.journal.Append(ctx, batch...)
		w.settle(len(batch), err)
	}
	return closing, err
}

// settle takes n written entries off the queue, or answers all with err.
func (w *hsmWriter) settle(n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.queue = w.queue[n:]
		w.written += uint64(n)
	}
	waiting := w.waiters[:0]
	for _, wait := range w.waiters {
		switch {
		case wait.upTo <= w.written:
			wait.done <- nil
		case err != nil:
			wait.done <- err
		default:
			waiting = append(waiting, wait)
		}
	}
	w.waiters = waiting
}
