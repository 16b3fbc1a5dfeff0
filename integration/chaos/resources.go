package chaos

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// resources are what the server and its workers use.
type resources struct {
	server, workers usage
	// processes is how many processes run the program, and zombies how many of the
	// server's nobody has waited for.
	processes, zombies int
	// files are those of the data directory beside the journal's and what is made of it.
	files []string
	// exporting is how many files of the exported trail have no name in it yet.
	exporting int
}

// usage is what processes use together.
type usage struct{ memory, threads, descriptors int }

// String is one line.
func (r resources) String() string {
	return fmt.Sprintf("server %v; workers %v; %d processes, %d files beside the journal", r.server, r.workers, r.processes, len(r.files))
}

// String is a part of a line.
func (u usage) String() string {
	return fmt.Sprintf("%d MiB, %d threads, %d descriptors", u.memory>>20, u.threads, u.descriptors)
}

// measure looks at all processes of the program and at its files.
func (w *world) measure(context.Context) (resources, error) {
	var r resources
	for _, pid := range processes(w.Binary) {
		r.processes++
		u := look(pid)
		if pid == w.server.PID() {
			r.server = u
			continue
		}
		r.workers.memory += u.memory
		r.workers.threads += u.threads
		r.workers.descriptors += u.descriptors
	}
	r.zombies = zombies(w.server.PID())
	var err error
	if r.files, err = filesIn(w.site.DataDir); err != nil {
		return r, err
	}
	exporting, err := filepath.Glob(filepath.Join(w.site.DataDir, "trail", ".strongroom", "tmp", "*"))
	r.exporting = len(exporting)
	return r, err
}

// zombies counts the children of a process that have ended and were not waited for. They
// have no program any more.
func zombies(parent int) int {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// After the name, which may be anything: the state and the parent.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 && fields[0] == "Z" && fields[1] == strconv.Itoa(parent) {
			n++
		}
	}
	return n
}

// processes returns those that run a program.
func processes(binary string) []int {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil
	}
	var pids []int
	for _, link := range links {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			continue
		}
		if to, err := os.Readlink(link); err == nil && to == binary {
			pids = append(pids, pid)
		}
	}
	return pids
}

// look returns what a process uses; of one that has ended, nothing.
func look(pid int) (u usage) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return usage{}
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "VmRSS:":
			u.memory = n << 10
		case "Threads:":
			u.threads = n
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
		u.descriptors = len(entries)
	}
	return u
}

// derived are the files that the server makes of the journal as it grows, and as time goes by, and no
// others: the index of each sealed segment; the metrics of each hour; the exported trail's log files, digests and
// their signatures; the exporter's own, and what it has not named yet.
var derived = regexp.MustCompile(`^(index/[0-9]{20}\.index(\.tmp)?` +
	`|metrics/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}Z\.v1\.jsonl` +
	`|trail/AWSLogs/(.+\.(json\.gz|json\.gz\.sig|log\.gz)|[0-9]+/public-keys\.json)` +
	`|trail/\.strongroom/(LOCK|state\.json|tmp/([0-9]+\.log|[^/]+\.json|[^/]+\.json\.gz|[^/]+\.json\.gz\.sig)))$`)

// filesIn lists the files of a data directory without the journal's segments and what is
// derived from them, and without the number of the segment that is prepared.
func filesIn(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".journal" {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if !derived.MatchString(name) {
			files = append(files, strings.TrimLeft(name, "journal/0123456789"))
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// How much more may be used after faults than before.
const (
	moreMemory      = 96 << 20
	moreThreads     = 24
	moreDescriptors = 24
)

// checkResources compares what is used with the usual.
func checkResources(usual, now resources, processes int) []violation {
	var found []violation
	object := func(format string, args ...any) {
		found = append(found, violation{"resources", nil, fmt.Sprintf(format, args...)})
	}
	if now.processes != processes || now.zombies > 0 {
		object("%d processes and %d zombies, want %d and none", now.processes, now.zombies, processes)
	}
	for _, of := range []struct {
		who        string
		usual, now usage
	}{{"the server", usual.server, now.server}, {"the workers", usual.workers, now.workers}} {
		if of.now.memory > of.usual.memory+of.usual.memory/2+moreMemory || of.now.threads > of.usual.threads+moreThreads ||
			of.now.descriptors > of.usual.descriptors+moreDescriptors {
			object("%s: %v, before %v", of.who, of.now, of.usual)
		}
	}
	// One for each HSM and one for the API events, and the state while it is written.
	if now.exporting > processes+1 {
		object("%d files of the exported trail have no name, want at most %d", now.exporting, processes+1)
	}
	if !slices.Equal(usual.files, now.files) {
		object("the data directory has the files %q, before %q", now.files, usual.files)
	}
	return found
}
