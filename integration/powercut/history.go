package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// history is what happened to the files below a directory, call by call.
type history struct {
	// points are the positions at which something began or ended.
	points []int
	// notes are what the client wrote down, in order.
	notes []noted

	top       string // the directory
	notesPath string // the file that the client writes its notes to
	root      *node  // the directory's
	open      map[descriptor]*openFile
	inFlight  []*call
}

// noted is a note and the position from which on it is known.
type noted struct {
	at int
	note
}

// descriptor names an open file. A number alone would not do: the server and its
// worker have their own.
type descriptor struct {
	number int64
	file   *node
}

// openFile is what a process has opened.
type openFile struct {
	dsync  bool  // each write is synced
	offset int64 // of the next write
}

// newHistory returns the history of a directory, which began as a copy of it is.
func newHistory(top, copied, notesPath string) (*history, error) {
	root, err := readTree(copied, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the directory before the trace: %w", err)
	}
	return &history{top: top, notesPath: notesPath, root: root, open: map[descriptor]*openFile{}}, nil
}

// fileCalls are the calls that may change or sync an open file, each with the
// index of the argument that is its descriptor.
var fileCalls = map[string]int{
	"write": 0, "pwrite64": 0, "ftruncate": 0, "fsync": 0, "fdatasync": 0, "lseek": 0, "mmap": 4,
	// Not modelled; nobody uses them here so far.
	"writev": 0, "pwritev": 0, "pwritev2": 0, "fallocate": 0, "sync_file_range": 0, "sendfile": 0, "copy_file_range": 2, "splice": 2,
}

// nameCalls are the calls that may change names, each with the number of paths
// that it is given.
var nameCalls = map[string]int{
	"openat": 1, "mkdir": 1, "mkdirat": 1, "unlink": 1, "unlinkat": 1, "rmdir": 1,
	"link": 2, "linkat": 2, "rename": 2, "renameat": 2, "renameat2": 2,
	// Not modelled; nobody uses them here so far.
	"open": 1, "creat": 1, "truncate": 1, "symlink": 2, "symlinkat": 2,
}

// begins is part of watcher.
func (h *history) begins(c *call) error {
	if i, ok := fileCalls[c.name]; ok && i < len(c.args) {
		where := descriptorPath(c.args[i])
		if where == h.notesPath && c.name == "write" {
			return h.takeNote(c)
		}
		path, ok := h.below(where)
		if !ok {
			return nil
		}
		if c.file = h.root.find(path); c.file == nil {
			return fmt.Errorf("there is no file %s", path)
		}
	}
	h.inFlight = append(h.inFlight, c)
	return nil
}

// ends is part of watcher.
func (h *history) ends(c *call) error {
	h.inFlight = slices.DeleteFunc(h.inFlight, func(other *call) bool { return other == c })
	if c.result < 0 {
		return nil
	}
	effects, err := h.effects(c)
	if err != nil {
		return err
	}
	for _, e := range effects {
		e.node.apply(e.made)
	}
	if len(effects) > 0 || syncs(c) {
		h.points = append(h.points, c.begin+1, c.end+1)
	}
	return nil
}

// syncs reports whether a call syncs a file.
func syncs(c *call) bool { return c.name == "fsync" || c.name == "fdatasync" }

// takeNote takes in a note that a call writes. What it says was so before.
func (h *history) takeNote(c *call) error {
	text, err := unquote(c.args[1])
	if err != nil {
		return err
	}
	n, err := parseNote(text)
	if err != nil {
		return err
	}
	h.notes = append(h.notes, noted{c.begin, n})
	h.points = append(h.points, c.begin+1)
	if n.Killed != "" {
		return h.settleKilled(c.begin, n.Killed)
	}
	return nil
}

// effect is what a call changes in a node.
type effect struct {
	node *node
	made change
}

// effects returns what a successful call changes: mostly nothing or one node, two if it
// renames from one directory to another.
func (h *history) effects(c *call) ([]effect, error) {
	if c.file != nil {
		n, made, err := h.fileEffect(c)
		return oneEffect(n, made), err
	}
	paths, err := h.paths(c)
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	if strings.HasPrefix(c.name, "rename") {
		return h.renamed(c, paths)
	}
	n, made, err := h.nameEffect(c, paths)
	return oneEffect(n, made), err
}

// oneEffect is the effect on one node, or none if that is nil.
func oneEffect(n *node, made change) []effect {
	if n == nil {
		return nil
	}
	return []effect{{n, made}}
}

// fileEffect is the effect of a call on an open file.
func (h *history) fileEffect(c *call) (*node, change, error) {
	f, err := h.opening(c)
	made := change{begin: c.begin, end: c.end, voided: never, dsync: f.dsync}
	switch c.name {
	case "fsync", "fdatasync":
		c.file.syncs = append(c.file.syncs, span{c.begin, c.end})
		return nil, made, err
	case "lseek":
		f.offset = c.result
		return nil, made, err
	case "mmap":
		if bytes.Contains(c.args[2], []byte("PROT_WRITE")) && !bytes.Contains(c.args[3], []byte("MAP_PRIVATE")) {
			err = errors.New("writing through memory is not modelled")
		}
		return nil, made, err
	case "ftruncate":
		made.resized = true
		made.offset, err = strconv.ParseInt(string(c.args[1]), 10, 64)
	case "write":
		made.data, err = written(c)
		made.offset, f.offset = f.offset, f.offset+int64(len(made.data))
	case "pwrite64":
		if made.data, err = written(c); err == nil {
			made.offset, err = strconv.ParseInt(string(c.args[3]), 10, 64)
		}
	default:
		err = errors.New("what this call does to a file is not modelled")
	}
	return c.file, made, err
}

// opening returns what is known of the opening of a call's file.
func (h *history) opening(c *call) (*openFile, error) {
	number, _, _ := bytes.Cut(c.args[fileCalls[c.name]], []byte("<"))
	n, err := strconv.ParseInt(string(number), 10, 64)
	if f := h.open[descriptor{n, c.file}]; f != nil {
		return f, err
	}
	return new(openFile), err // opened before the trace
}

// written returns what a call has written, or would if it is not over.
func written(c *call) ([]byte, error) {
	data, err := unquote(c.args[1])
	if err != nil || c.end == never {
		return data, err
	}
	if c.result > int64(len(data)) {
		return nil, errAbridged
	}
	return data[:c.result], nil
}

// renamed is the effect of a rename. Between two directories it is two changes, of which a
// disk may have either without the other, so that the file has both names or none.
func (h *history) renamed(c *call, paths []string) ([]effect, error) {
	if len(paths) != 2 {
		return nil, errors.New("a rename from or to elsewhere is not modelled")
	}
	from, to := paths[0], paths[1]
	file, left, entered := h.root.find(from), h.root.find(filepath.Dir(from)), h.root.find(filepath.Dir(to))
	if file == nil || entered == nil {
		return nil, fmt.Errorf("%s has no %s, or no directory for %s", h.top, from, to)
	}
	leaving := map[string]*node{filepath.Base(from): nil}
	entering := map[string]*node{filepath.Base(to): file}
	names := func(n *node, entries map[string]*node) effect {
		return effect{n, change{begin: c.begin, end: c.end, voided: never, entries: entries}}
	}
	switch {
	case left == entered:
		maps.Copy(leaving, entering)
		return []effect{names(left, leaving)}, nil
	case file.dir:
		return nil, errors.New("moving a directory into another one is not modelled")
	default:
		return []effect{names(left, leaving), names(entered, entering)}, nil
	}
}

// nameEffect is the effect of a call on names, but for renames.
func (h *history) nameEffect(c *call, paths []string) (*node, change, error) {
	from, to := paths[0], paths[len(paths)-1]
	parent, name := h.root.find(filepath.Dir(to)), filepath.Base(to)
	if parent == nil {
		return nil, change{}, fmt.Errorf("%s has no directory for %s", h.top, to)
	}
	made := change{begin: c.begin, end: c.end, voided: never, entries: map[string]*node{}}
	switch c.name {
	case "openat":
		return h.opened(c, parent, to)
	case "mkdir", "mkdirat":
		made.entries[name] = newNode(true)
	case "unlink", "unlinkat", "rmdir":
		made.entries[name] = nil
	case "link", "linkat":
		made.entries[name] = h.root.find(from)
	default:
		return nil, change{}, errors.New("what this call does to names is not modelled")
	}
	return parent, made, nil
}

// opened is the effect of opening a file.
func (h *history) opened(c *call, parent *node, path string) (*node, change, error) {
	flags := strings.Split(string(c.args[2]), "|")
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	made := change{begin: c.begin, end: c.end, voided: never}
	if has("O_APPEND") || has("O_TMPFILE") {
		return nil, made, errors.New("a file opened with these flags is not modelled")
	}
	file := h.root.find(path)
	changed := file
	switch {
	case file == nil && !has("O_CREAT") && c.end == never:
		return nil, made, nil // it could only fail
	case file == nil && !has("O_CREAT"):
		return nil, made, fmt.Errorf("%s has no such file", h.top)
	case file == nil:
		file = newNode(false)
		changed, made.entries = parent, map[string]*node{filepath.Base(path): file}
	case has("O_TRUNC") && len(file.content) > 0:
		made.resized = true
	default:
		changed = nil
	}
	h.open[descriptor{c.result, file}] = &openFile{dsync: has("O_DSYNC") || has("O_SYNC")}
	return changed, made, nil
}

// paths returns the paths below the top that a call names, relative to the top.
func (h *history) paths(c *call) ([]string, error) {
	var paths []string
	base := ""
	for left, args := nameCalls[c.name], c.args; left > 0 && len(args) > 0; args = args[1:] {
		if args[0][0] != '"' {
			base = descriptorPath(args[0])
			continue
		}
		left--
		name, err := unquote(args[0])
		if err != nil {
			return nil, err
		}
		path := string(name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(base, path)
		}
		if path, ok := h.below(path); ok {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// below returns a path relative to the top if it is below it.
func (h *history) below(path string) (string, bool) {
	if path == h.top {
		return ".", true
	}
	return strings.CutPrefix(path, h.top+"/")
}

// descriptorPath returns what strace says of a file descriptor argument, as in
// 5</tmp/file>. It is "" if there is no path.
func descriptorPath(arg []byte) string {
	_, path, ok := bytes.Cut(arg, []byte("<"))
	path, closed := bytes.CutSuffix(path, []byte(">"))
	if !ok || !closed {
		return ""
	}
	return string(path)
}
