package keystore

import (
	"context"
	"slices"
	"sync"
)

// changes keeps two changes of the same metadata from overlapping, from the
// intent until the event, so that after a crash the record alone tells whether
// the change under way was made. It can also hold all changes back for a
// moment.
type changes struct {
	mu      sync.Mutex
	held    map[string]bool // metadata paths
	running []*change
	paused  bool
	freed   chan struct{} // closed and replaced whenever something is given back
}

// change is a change under way, or a pause of all of them.
type change struct {
	of    *changes
	paths []string
	// material is the id of the backing key that the change makes; guarded by
	// of.mu.
	material string
}

func newChanges() *changes {
	return &changes{held: map[string]bool{}, freed: make(chan struct{})}
}

// begin waits until no other change has any of the paths, and takes them all.
func (c *changes) begin(ctx context.Context, paths ...string) (*change, error) {
	h := &change{of: c, paths: paths}
	err := c.await(ctx, func() bool {
		if c.paused || slices.ContainsFunc(paths, func(p string) bool { return c.held[p] }) {
			return false
		}
		for _, p := range paths {
			c.held[p] = true
		}
		c.running = append(c.running, h)
		return true
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// end gives the paths back, once: they may be another change's when it is called
// again. A nil change has none.
func (h *change) end() {
	if h == nil {
		return
	}
	c := h.of
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range h.paths {
		delete(c.held, p)
	}
	h.paths = nil
	c.running = slices.DeleteFunc(c.running, func(o *change) bool { return o == h })
	c.announce()
}

// makes says which backing key the change is about to make.
func (h *change) makes(material string) {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	h.material = material
}

// material returns the ids of the backing keys that changes under way make.
func (c *changes) material() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := map[string]bool{}
	for _, h := range c.running {
		ids[h.material] = true
	}
	return ids
}

// pause holds new changes back and waits until none is under way. The function
// that it returns lets them go on.
func (c *changes) pause(ctx context.Context) (resume func(), err error) {
	err = c.await(ctx, func() bool {
		free := !c.paused
		c.paused = true
		return free
	})
	if err != nil {
		return nil, err
	}
	resume = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.paused = false
		c.announce()
	}
	if err := c.await(ctx, func() bool { return len(c.running) == 0 }); err != nil {
		resume()
		return nil, err
	}
	return resume, nil
}

// await waits until done, which is asked under the lock, is true.
func (c *changes) await(ctx context.Context, done func() bool) error {
	for ctx.Err() == nil {
		c.mu.Lock()
		ok, freed := done(), c.freed
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (c *changes) announce() {
	close(c.freed)
	c.freed = make(chan struct{})
}
