package keystore

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// changes keeps two changes of the same metadata from overlapping, from the
// intent until the event, so that after a crash the record alone tells whether
// the change under way was made. It can also hold all changes back for a
// moment.
type changes struct {
	mu      sync.Mutex
	held    map[string]int // metadata paths, and how many changes have them
	running []*change
	paused  bool
	freed   chan struct{} // closed and replaced whenever something is given back
}

// change is a change under way, or a pause of all of them.
type change struct {
	of    *changes
	paths []string
	// parked says that the change is not under way but was cut off, and waits to be
	// settled.
	parked bool
	// material is the id of the backing key that the change makes; guarded by
	// of.mu.
	material string
}

// errParked says that a path is that of a change that waits to be settled, nobody
// knows for how long.
var errParked = errors.New("a change that was cut off before is not settled yet")

func newChanges() *changes {
	return &changes{held: map[string]int{}, freed: make(chan struct{})}
}

// begin waits until no other change has any of the paths, and takes them all. It does
// not wait for changes that are parked: then it fails with errParked.
func (c *changes) begin(ctx context.Context, paths ...string) (*change, error) {
	h, parked := &change{of: c, paths: paths}, false
	err := c.await(ctx, func() bool {
		if parked = c.isParked(paths); parked {
			return true
		}
		if c.paused || slices.ContainsFunc(paths, func(p string) bool { return c.held[p] > 0 }) {
			return false
		}
		c.take(h)
		return true
	})
	switch {
	case err != nil:
		return nil, err
	case parked:
		return nil, errParked
	}
	return h, nil
}

// park takes a path for a change that was cut off when it made, or destroyed, some
// material, and that waits to be settled. Several can have the same path. It is called
// while no change is under way.
func (c *changes) park(path, material string) *change {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &change{of: c, paths: []string{path}, parked: true, material: material}
	c.take(h)
	return h
}

// take gives a change its paths. The caller holds the lock.
func (c *changes) take(h *change) {
	for _, p := range h.paths {
		c.held[p]++
	}
	c.running = append(c.running, h)
}

// isParked says whether a change that is parked has one of the paths. The caller holds
// the lock.
func (c *changes) isParked(paths []string) bool {
	return slices.ContainsFunc(c.running, func(h *change) bool {
		return h.parked && slices.ContainsFunc(h.paths, func(p string) bool { return slices.Contains(paths, p) })
	})
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
		if c.held[p]--; c.held[p] == 0 {
			delete(c.held, p)
		}
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

// pause holds new changes back and waits until none is under way; those that are
// parked are not. The function that it returns lets them go on.
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
	if err := c.await(ctx, func() bool {
		return !slices.ContainsFunc(c.running, func(h *change) bool { return !h.parked })
	}); err != nil {
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
