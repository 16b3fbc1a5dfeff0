package powercut

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// cut is a power cut: when it comes, and how the disk behaves.
type cut struct {
	// at is the position in the trace before which the power was on.
	at int
	// sector is what the disk writes whole or not at all, in bytes.
	sector int64
	// kept is how likely a change that nobody synced is to have reached the disk all
	// the same: separately each time a sector, a length or a name is changed.
	kept float64
	// garbage says that a file which was lengthened, but not written to in time, has
	// anything in these sectors, not zeros.
	garbage bool
	// unsynced makes the syncs of some paths void; nil: of none.
	unsynced func(path string) bool

	rand   *rand.Rand
	placed map[*node]string // files that are written, by their first path
}

// newCut returns the power cut of a seed, at one of some positions. It is good for
// one write.
func newCut(points []int, seed uint64) *cut {
	r := rand.New(rand.NewPCG(seed, 0))
	return &cut{
		at:      points[r.IntN(len(points))],
		sector:  []int64{512, 4096}[r.IntN(2)],
		kept:    []float64{0, 0.1, 0.5, 0.9, 1}[r.IntN(5)],
		garbage: r.IntN(4) == 0,
		rand:    r,
		placed:  map[*node]string{},
	}
}

// String describes the cut for reports.
func (c *cut) String() string {
	return fmt.Sprintf("power cut at position %d, sectors of %d bytes, %.0f %% of the unsynced kept, garbage %v", c.at, c.sector, 100*c.kept, c.garbage)
}

// write makes a directory what the disk has of a node after the cut.
func (c *cut) write(n *node, path string) error {
	if first, ok := c.placed[n]; ok {
		return os.Link(first, path)
	}
	c.placed[n] = path
	if !n.dir {
		return writeSparse(path, c.content(n))
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	entries := c.entries(n)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if err := c.write(entries[name], filepath.Join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

// chance returns how likely the disk has a change: 1 if it is durable.
func (c *cut) chance(n *node, made *change) float64 {
	synced := c.unsynced == nil || !c.unsynced(n.path) || made.begin == before
	if synced && n.durable(made, c.at) {
		return 1
	}
	return c.kept
}

func (c *cut) happens(chance float64) bool { return c.rand.Float64() < chance }

// entries returns what a directory has on the disk. A change of names is on the
// disk whole or not, and after the earlier ones of the same names.
func (c *cut) entries(n *node) map[string]*node {
	entries, late := map[string]*node{}, map[string]bool{}
	for i := range n.changes {
		made := &n.changes[i]
		if !made.seenBy(c.at) {
			continue
		}
		lasts := c.happens(c.chance(n, made))
		for name := range made.entries {
			lasts = lasts && !late[name]
		}
		for name, child := range made.entries {
			switch {
			case !lasts:
				late[name] = true
			case child == nil:
				delete(entries, name)
			default:
				entries[name] = child
			}
		}
	}
	return entries
}

// content returns what a file has on the disk. The changes are made in memory one
// after the other; of each, the disk takes the sectors that it changed and the
// file's length, or leaves them as they are there.
func (c *cut) content(n *node) []byte {
	var memory []byte
	d := disk{sector: c.sector}
	for i := range n.changes {
		made := &n.changes[i]
		if !made.seenBy(c.at) {
			continue
		}
		chance := c.chance(n, made)
		from, to := made.extent(int64(len(memory)))
		grown := to > int64(len(memory))
		memory = made.applyTo(memory)
		d.reserve(int64(len(memory)))
		for sector := from / c.sector; sector*c.sector < to; sector++ {
			if c.happens(chance) {
				d.take(memory, sector)
			} else if !made.resized {
				d.miss(sector)
			}
		}
		switch {
		case !c.happens(chance):
		case grown, made.resized:
			d.size = int64(len(memory))
		default:
			d.size = max(d.size, to)
		}
	}
	if c.garbage {
		d.spoil(c.rand)
	}
	return resize(d.content, d.size)
}
