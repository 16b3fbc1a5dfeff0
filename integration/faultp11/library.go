package faultp11

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Library is one control file with its counters and its log, for one HSM. Its methods
// may be called by many goroutines, but one process at a time should have it open.
type Library struct {
	path, softHSM, dir, pins string
	logs                     bool

	mu     sync.Mutex
	faults []numbered
	last   int              // number given out
	named  map[string][]int // numbers of the faults set last, by name
}

// numbered is a fault in the control file.
type numbered struct {
	Fault
	number int
}

// maxFaults is how many faults a Library has counters for.
const maxFaults = 1 << 16

// Options say what a Library is made of.
type Options struct {
	// Dir is the directory for the control file and what belongs to it. It is made if it
	// is not there, and must be no other Library's.
	Dir string
	// Path is the library that Compile has made.
	Path string
	// SoftHSM is the library that calls are passed on to.
	SoftHSM string
	// PINs is a directory for the counts of wrong PINs, which Libraries over one token may
	// share. Empty: they are this Library's alone.
	PINs string
	// Log has every call written down, for Calls. It grows by some 100 bytes a call.
	Log bool
}

// Open begins with no fault. What another Library has left in the directory is
// forgotten, but for the log and the tries of PINs.
func Open(o Options) (*Library, error) {
	l := &Library{path: o.Path, softHSM: o.SoftHSM, dir: o.Dir, pins: o.PINs, logs: o.Log, named: map[string][]int{}}
	if err := os.MkdirAll(l.state(), 0o700); err != nil {
		return nil, fmt.Errorf("making a directory for faults: %w", err)
	}
	if err := os.Remove(l.counters()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the counters of faults: %w", err)
	}
	return l, l.Clear()
}

// New is Open for a test, with a log.
func New(tb testing.TB, softHSM string) *Library {
	tb.Helper()
	l, err := Open(Options{Dir: tb.TempDir(), Path: Build(tb), SoftHSM: softHSM, Log: true})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// Path returns the library file that processes are to load.
func (l *Library) Path() string { return l.path }

// Env returns what has to be in their environment, as NAME=value.
func (l *Library) Env() []string {
	env := []string{"FAULTP11_LIBRARY=" + l.softHSM, "FAULTP11_CONTROL=" + l.control(), "FAULTP11_STATE=" + l.state()}
	if l.pins != "" {
		env = append(env, "FAULTP11_PINS="+l.pins)
	}
	if l.logs {
		env = append(env, "FAULTP11_LOG="+l.log())
	}
	return env
}

func (l *Library) control() string  { return filepath.Join(l.dir, "control") }
func (l *Library) state() string    { return filepath.Join(l.dir, "state") }
func (l *Library) counters() string { return filepath.Join(l.state(), "counters") }
func (l *Library) log() string      { return filepath.Join(l.dir, "log") }

// Set has these faults, and no others, from now on. Of several that would answer a call,
// or of the same kind of another sort, the first one counts.
func (l *Library) Set(faults ...Fault) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range faults {
		delete(l.named, f.name)
	}
	return l.write(nil, faults)
}

// Add has one more fault, behind those that are set.
func (l *Library) Add(f Fault) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.ContainsFunc(l.faults, func(other numbered) bool { return other.name == f.name }) {
		delete(l.named, f.name)
	}
	return l.write(l.faults, []Fault{f})
}

// Clear ends all faults.
func (l *Library) Clear() error { return l.Set() }

// Remove ends the faults of a name.
func (l *Library) Remove(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(l.faults), func(f numbered) bool { return f.name == name })
	return l.write(kept, nil)
}

// write replaces the control file by faults that keep their numbers and new ones.
func (l *Library) write(kept []numbered, added []Fault) error {
	faults := slices.Clone(kept)
	for _, f := range added {
		if l.last+1 == maxFaults {
			return fmt.Errorf("setting the fault %s: a library has no more than %d", f, maxFaults)
		}
		l.last++
		faults = append(faults, numbered{f, l.last})
		l.named[f.name] = append(l.named[f.name], l.last)
	}
	var lines strings.Builder
	for _, f := range faults {
		_, _ = fmt.Fprintln(&lines, f.number, f.Fault)
	}
	replacement := l.control() + ".new"
	if err := os.WriteFile(replacement, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("writing the faults: %w", err)
	}
	if err := os.Rename(replacement, l.control()); err != nil {
		return fmt.Errorf("setting the faults: %w", err)
	}
	l.faults = faults
	return nil
}

// Hits tells how often the faults of a name have struck, in all processes, since they
// were set last; also when they have been ended since.
func (l *Library) Hits(name string) int { return l.count(name, 1) }

// Seen tells likewise how many calls were such as the faults of a name are for, struck or
// not. It is for faults of calls.
func (l *Library) Seen(name string) int { return l.count(name, 0) }

func (l *Library) count(name string, which int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, err := os.Open(l.counters())
	if err != nil {
		return 0 // no call was made so far
	}
	defer file.Close() //nolint:errcheck // only read
	total := 0
	for _, number := range l.named[name] {
		var counter [8]byte
		if _, err := file.ReadAt(counter[:], 16*int64(number)+8*which); err == nil {
			total += int(binary.NativeEndian.Uint64(counter[:]))
		}
	}
	return total
}
