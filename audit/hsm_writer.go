package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// retryInterval is how long the writer waits before it tries again to write
// entries that could not be written.
const retryInterval = time.Second

// maxAtOnce is how many entries one append takes: as many as fit into a batch of
// the smallest segments if each character of theirs is escaped.
const maxAtOnce = 8

// appender is the journal that entries go to.
type appender interface {
	Append(ctx context.Context, entries ...journal.Entry) (uint64, error)
}

// hsmWriter numbers HSM entries and writes them in the order of their numbers.
//
// A number once given is never given again and never skipped: entries wait in
// one queue until they are durable, whatever becomes of those who wait for them.
// One goroutine appends, one batch at a time, so that an entry that failed is
// written again before any later one.
type hsmWriter struct {
	journal appender
	log     hclog.Logger
	cancel  context.CancelFunc
	wake    chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	hsms    map[string]hsmState // with the numbers that are given
	queue   []journal.Entry     // not yet durable
	written uint64              // entries ever written
	queued  uint64              // entries ever queued
	failed  error               // how the last attempt to write went
	waiters []waiter
	closed  bool
}

// waiter waits until so many entries are written.
type waiter struct {
	upTo uint64
	done chan error // holds one
}

func newHSMWriter(j appender, hsms map[string]hsmState, log hclog.Logger) *hsmWriter {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return &hsmWriter{journal: j, log: log, hsms: hsms, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

func (w *hsmWriter) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go w.run(ctx)
}

// close writes what is queued, once, and stops. It waits no longer than ctx. What
// could not be written is logged: the process is about to forget it.
func (w *hsmWriter) close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.poke()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	w.cancel()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.queue {
		w.log.Error("HSM entry is lost: it could not be written before the end", "entry", string(e.Body))
	}
	n := len(w.queue)
	w.queue = nil
	if n > 0 {
		return fmt.Errorf("closing the HSM logs: %d entries are lost: %w", n, w.failed)
	}
	return nil
}

// fault returns why the oldest entry of the queue could not be written, or nil.
func (w *hsmWriter) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// queueCommands queues an entry for each command.
func (w *hsmWriter) queueCommands(hsmID string, cmds []HSMCommand) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return journal.ErrClosed
	}
	for _, c := range cmds {
		w.queueEntry(hsmID, limited(c))
	}
	w.poke()
	return nil
}

// boot queues the next reboot counter and returns it.
func (w *hsmWriter) boot(hsmID string) (uint32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, journal.ErrClosed
	}
	h := w.hsms[hsmID]
	h.RebootCounter++
	w.hsms[hsmID] = h
	w.push(journal.Entry{Kind: kindBoot, Body: boot{HSM: hsmID, RebootCounter: h.RebootCounter}.appendJSON(nil)})
	w.poke()
	return h.RebootCounter, nil
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

// flush waits until everything queued before is durable, or until an attempt to
// make it so has failed.
func (w *hsmWriter) flush(ctx context.Context) error {
	wait := waiter{done: make(chan error, 1)}
	w.mu.Lock()
	wait.upTo = w.queued
	switch {
	case w.written == w.queued:
		w.mu.Unlock()
		return nil
	case w.closed:
		w.mu.Unlock()
		return journal.ErrClosed
	}
	w.waiters = append(w.waiters, wait)
	w.mu.Unlock()
	w.poke()
	select {
	case err := <-wait.done:
		return err
	case <-ctx.Done():
		w.forget(wait)
		return ctx.Err()
	}
}

// forget drops one who no longer waits: an attempt may hang for long.
func (w *hsmWriter) forget(gone waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters = slices.DeleteFunc(w.waiters, func(wait waiter) bool { return wait == gone })
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
		closing, err := w.write(ctx)
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

// write appends the queue and answers those who wait. After an error the queue
// is kept. It says whether the writer was closed before.
func (w *hsmWriter) write(ctx context.Context) (closing bool, err error) {
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
	w.failed = err
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
