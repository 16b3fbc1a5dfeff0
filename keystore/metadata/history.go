package metadata

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// history is the newest durable changes of a store, for those who wait for them.
// Every change after revision floor, up to head, is in changes; older ones have
// been dropped to keep within the limits.
type history struct {
	maxChanges, maxSize int

	mu      sync.Mutex
	changes []Change // by rising revision
	size    int      // bytes of keys and values in changes
	floor   uint64
	head    uint64
	end     error         // why there will be no more changes, if so
	doubt   error         // why it is not known what the newest change is, if so
	doubts  uint64        // how often doubt was settled
	moved   chan struct{} // closed, and replaced, when head, end or doubt changes
}

// errSettled says that what was read may be a change that was lost since.
var errSettled = errors.New("read again")

// newHistory starts after the changes up to revision, none of which it has.
func newHistory(revision uint64, maxChanges, maxSize int) *history {
	return &history{
		maxChanges: maxChanges,
		maxSize:    maxSize,
		floor:      revision,
		head:       revision,
		moved:      make(chan struct{}),
	}
}

// add takes in the next change, which is durable and is nobody else's from now on.
func (h *history) add(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, c)
	h.size += c.size()
	h.head = c.Revision
	h.trim()
	h.wake()
}

// trim drops the oldest changes until the limits hold.
func (h *history) trim() {
	n := 0
	for len(h.changes)-n > h.maxChanges || h.size > h.maxSize {
		h.size -= h.changes[n].size()
		h.floor = h.changes[n].Revision
		n++
	}
	h.changes = slices.Delete(h.changes, 0, n)
}

// stop says why no more changes will come. The first reason counts.
func (h *history) stop(reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end == nil {
		h.end = reason
		h.wake()
	}
}

func (h *history) wake() {
	close(h.moved)
	h.moved = make(chan struct{})
}

// ended returns the reason given to stop, or nil.
func (h *history) ended() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.end
}

// suspend has reads refused until settle: a change is to be seen that may be lost.
func (h *history) suspend(reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubt = reason
	h.wake()
}

// settle lets reads go on, after add if the change was not lost.
func (h *history) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubt = nil
	h.doubts++
	h.wake()
}

// usable returns why nothing can be read or written, or nil.
func (h *history) usable() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end != nil {
		return h.end
	}
	return h.doubt
}

// inDoubt says whether suspend was called and settle was not yet.
func (h *history) inDoubt() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.doubt != nil
}

// epoch counts the doubts that were settled; see reach.
func (h *history) epoch() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.doubts
}

// revision returns that of the newest durable change.
func (h *history) revision() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head
}

// since returns the changes after a revision. If there are none yet, it returns a
// channel that is closed when it is worth asking again. The changes are shared:
// only to be read.
func (h *history) since(after uint64) ([]Change, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case after > h.head:
		return nil, nil, fmt.Errorf("%w: revision %d has not been reached, only %d", ErrInvalid, after, h.head)
	case after < h.floor:
		return nil, nil, fmt.Errorf("%w: after revision %d, only after %d", ErrCompacted, after, h.floor)
	case after == h.head:
		return nil, h.moved, h.end
	}
	i, _ := slices.BinarySearchFunc(h.changes, after+1, func(c Change, revision uint64) int {
		return cmp.Compare(c.Revision, revision)
	})
	return slices.Clone(h.changes[i:]), nil, nil
}

// follow yields the changes after a revision that are about keys with a prefix,
// until the consumer stops or until an error, which it returns.
func (h *history) follow(ctx context.Context, prefix string, after uint64, yield func(Change, error) bool) error {
	for {
		changes, moved, err := h.since(after)
		if err != nil {
			return err
		}
		for _, change := range changes {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			after = change.Revision
			part := change.under(prefix)
			if len(part.Events) > 0 && !yield(part, nil) {
				return nil
			}
		}
		if len(changes) > 0 {
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reach waits until the change that made revision is durable, which a reader saw
// in an epoch. It fails if that will not come to pass, with errSettled if it may
// have been another change of this revision, or when ctx ends.
func (h *history) reach(ctx context.Context, revision, epoch uint64) error {
	for {
		h.mu.Lock()
		head, end, doubt, doubts, moved := h.head, h.end, h.doubt, h.doubts, h.moved
		h.mu.Unlock()
		switch {
		case doubts != epoch:
			return errSettled
		case head >= revision:
			return nil
		case end != nil:
			return end
		case doubt != nil:
			return doubt
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// under copies the part of a change that is about keys with a prefix.
func (c Change) under(prefix string) Change {
	part := Change{Revision: c.Revision}
	for _, e := range c.Events {
		if strings.HasPrefix(e.Entry.Key, prefix) {
			e.Entry.Value = bytes.Clone(e.Entry.Value)
			part.Events = append(part.Events, e)
		}
	}
	return part
}

func (c Change) size() int {
	n := 0
	for _, e := range c.Events {
		n += len(e.Entry.Key) + len(e.Entry.Value)
	}
	return n
}
