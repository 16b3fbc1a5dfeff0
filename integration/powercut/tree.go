package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// readTree returns the node of what stands below a directory at a path now, all of it
// durable.
func readTree(top, path string) (*node, error) {
	where := filepath.Join(top, path)
	info, err := os.Stat(where)
	if err != nil {
		return nil, err
	}
	n := newNode(info.IsDir())
	n.path = path
	made := change{begin: before, end: before, voided: never, dsync: true}
	if !n.dir {
		if made.data, err = os.ReadFile(where); err == nil {
			n.apply(made)
		}
		return n, err
	}
	list, err := os.ReadDir(where)
	if err != nil {
		return nil, err
	}
	made.entries = map[string]*node{}
	for _, entry := range list {
		if made.entries[entry.Name()], err = readTree(top, filepath.Join(path, entry.Name())); err != nil {
			return nil, err
		}
	}
	n.apply(made)
	return n, nil
}

// settleKilled finds out, from a copy that was made of the directory after a
// process had been killed, which of its calls under way had an effect. A write may
// have had a part of it.
func (h *history) settleKilled(at int, copied string) error {
	killed := h.inFlight
	h.inFlight = nil
	for _, c := range killed {
		effects, err := h.effects(c)
		if err != nil {
			return err
		}
		done := !slices.ContainsFunc(effects, func(e effect) bool { return !e.happened(copied) })
		for _, e := range effects {
			if done {
				e.made.end = at
				e.node.apply(e.made)
				continue
			}
			e.made.voided = at
			e.node.changes = append(e.node.changes, e.made)
		}
	}
	return h.root.correct(at, copied)
}

// happened reports whether a directory has, in a copy, the entries that a change gives it. Of
// files it is not known.
func (e *effect) happened(copied string) bool {
	if !e.node.dir {
		return false
	}
	for name, child := range e.made.entries {
		_, err := os.Lstat(filepath.Join(copied, e.node.path, name))
		if errors.Is(err, fs.ErrNotExist) != (child == nil) {
			return false
		}
	}
	return true
}

// correct changes files to what they are in a copy, where the two differ.
func (n *node) correct(at int, copied string) error {
	if n.dir {
		return n.eachChild(copied, func(child *node, path string) error { return child.correct(at, path) })
	}
	content, err := os.ReadFile(copied)
	if err != nil {
		return err
	}
	if len(content) != len(n.content) {
		n.apply(change{begin: at, end: at, voided: never, resized: true, offset: int64(len(content))})
	}
	first := 0
	for first < len(content) && content[first] == n.content[first] {
		first++
	}
	last := len(content)
	for last > first && content[last-1] == n.content[last-1] {
		last--
	}
	if first < last {
		n.apply(change{begin: at, end: at, voided: never, offset: int64(first), data: content[first:last]})
	}
	return nil
}

// compare fails if a directory is not what the trace should have made of it.
func (n *node) compare(path string) error {
	if n.dir {
		return n.eachChild(path, (*node).compare)
	}
	content, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(content, n.content) {
		err = fmt.Errorf("%s is not what the trace says that was written to it (%d bytes, %d in the trace)", path, len(content), len(n.content))
	}
	return err
}

// eachChild visits a directory's entries beside their copies in another one, which
// must have the same names.
func (n *node) eachChild(path string, visit func(child *node, path string) error) error {
	list, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(n.entries))
	if !slices.EqualFunc(names, list, func(name string, e fs.DirEntry) bool { return name == e.Name() }) {
		return fmt.Errorf("%s has %v; by the trace it has %v", path, list, names)
	}
	for _, name := range names {
		if err := visit(n.entries[name], filepath.Join(path, name)); err != nil {
			return err
		}
	}
	return nil
}
