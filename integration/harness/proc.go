package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrExited says that the process has ended.
var ErrExited = errors.New("the process has ended")

// Worker returns the process id of the server's HSM worker. While there is
// none, or only the one with the id old, it looks again until ctx ends: a
// process has no event that a stranger could wait for.
func (p *Process) Worker(ctx context.Context, old int) (int, error) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, pid := range children(p.PID()) {
			if pid != old && isWorker(pid) {
				return pid, nil
			}
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return 0, fmt.Errorf("looking for its worker: %w", ErrExited)
		case <-ctx.Done():
			return 0, fmt.Errorf("waiting for an HSM worker: %w", context.Cause(ctx))
		}
	}
}

// Workers returns the process ids of the server's HSM workers.
func (p *Process) Workers() []int {
	return slices.DeleteFunc(children(p.PID()), func(pid int) bool { return !isWorker(pid) })
}

// children lists the child processes of all threads of a process.
func children(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread is gone
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func isWorker(pid int) bool {
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(args), "hsm-worker") && !isZombie(pid)
}

// isZombie reports whether a process has ended but was not waited for.
func isZombie(pid int) bool {
	fields, err := statFields(pid)
	return err != nil || fields[0] == "Z"
}

// statFields returns the fields of /proc/<pid>/stat after the command's name,
// beginning with the state.
func statFields(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, fmt.Errorf("reading the state of process %d: %w", pid, err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("reading the state of process %d: %q", pid, text)
	}
	return fields, nil
}

// PeakMemory waits for the end of a process and returns the most memory, in
// bytes, that it had resident. It is looked at now and then, and read from
// /proc: what wait4(2) tells includes the memory of the parent at the fork.
func (p *Process) PeakMemory(ctx context.Context) (int64, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var peak int64
	for {
		select {
		case <-tick.C:
			peak = max(peak, residentHighWater(p.PID()))
		case <-p.exited:
			return peak, p.err
		case <-ctx.Done():
			return peak, fmt.Errorf("waiting for process %d to end: %w", p.PID(), context.Cause(ctx))
		}
	}
}

// residentHighWater returns 0 for a process that has ended, or that is not yet
// the program it is to be.
func residentHighWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// clockTick is the unit of the CPU times in /proc, USER_HZ, on every Linux that
// Go supports.
const clockTick = 10 * time.Millisecond

// CPUTime returns how long a process has computed, in user and kernel mode.
func CPUTime(pid int) (time.Duration, error) {
	fields, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, fields 14 and 15 of the file
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}
