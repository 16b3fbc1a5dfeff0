package powercut

import (
	"path/filepath"
	"slices"
	"strings"
)

// node is a file or a directory with everything that happened to it: its inode,
// whatever its names.
type node struct {
	dir     bool
	path    string // its newest name, from the top
	changes []change
	syncs   []span

	// What a process sees at the end of what has been read of the trace.
	content []byte
	entries map[string]*node // of a directory
}

// before is the position of what was there before the trace.
const before = -1

// span is a call that synced a node: what was over at begin is durable from end on.
type span struct{ begin, end int }

// change is one change of a node.
type change struct {
	begin, end int
	// voided is when it turned out that a killed process has not made the change;
	// never in all other cases.
	voided int
	// dsync says that the change is durable from its end on.
	dsync bool

	// Of a file: data is written at an offset, or the file gets a length.
	offset  int64
	data    []byte
	resized bool // to offset
	// Of a directory: entries that it gets, at once; nil for one that goes.
	entries map[string]*node
}

func newNode(dir bool) *node {
	n := &node{dir: dir}
	if dir {
		n.entries = map[string]*node{}
	}
	return n
}

// find returns the node of a path from n, or nil.
func (n *node) find(path string) *node {
	if path == "." {
		return n
	}
	for name := range strings.SplitSeq(path, "/") {
		if n = n.entries[name]; n == nil {
			return nil
		}
	}
	return n
}

// seenBy reports whether the power cut at a position can have seen the change.
func (c *change) seenBy(at int) bool { return c.begin < at && at <= c.voided }

// durable reports whether the change is on the disk at a position for certain.
func (n *node) durable(c *change, at int) bool {
	if c.end >= at {
		return false
	}
	return c.dsync || slices.ContainsFunc(n.syncs, func(s span) bool { return c.end < s.begin && s.end < at })
}

// apply makes a change in what processes see.
func (n *node) apply(c change) {
	n.changes = append(n.changes, c)
	if !n.dir {
		n.content = c.applyTo(n.content)
		return
	}
	for name, child := range c.entries {
		if child == nil {
			delete(n.entries, name)
			continue
		}
		n.entries[name] = child
		child.path = filepath.Join(n.path, name)
	}
}

// applyTo makes a change of a file in its content.
func (c *change) applyTo(content []byte) []byte {
	if c.resized {
		return resize(content, c.offset)
	}
	if end := c.offset + int64(len(c.data)); int64(len(content)) < end {
		content = resize(content, end)
	}
	copy(content[c.offset:], c.data)
	return content
}

// extent returns which bytes a change of a file concerns that has a size.
func (c *change) extent(size int64) (from, to int64) {
	if c.resized {
		return min(c.offset, size), max(c.offset, size)
	}
	return c.offset, c.offset + int64(len(c.data))
}

// resize cuts off or fills with zeros.
func resize(b []byte, size int64) []byte {
	if int64(len(b)) >= size {
		clear(b[size:]) // so that growing again shows zeros
		return b[:size]
	}
	if int64(cap(b)) >= size {
		return b[:size]
	}
	return append(make([]byte, 0, max(size, 2*int64(cap(b)))), b...)[:size]
}
