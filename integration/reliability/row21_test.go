package reliability

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

// Row 21: a library does not survive a fork after C_Initialize. The command that prints the
// PIN has ended before.
func TestRow21ForkBeforeInitialize(t *testing.T) {
	row{
		world: options{prepare: (*world).pinFromCommand},
		scenario: func(w *world) error {
			key, err := w.newKey()
			if err != nil {
				return err
			}
			if err := w.killWorker(w.hsms[0]); err != nil {
				return err
			}
			if err := w.recovers(time.Now(), 2*time.Second, func() error { return w.use(key) }); err != nil {
				return err
			}
			return w.forkedFirst()
		},
		without: []needed{{defence.PINFirst, errMet}},
	}.test(t)
}

// forks is the file in which the command notes when it was run, and by whom.
func (w *world) forks() string { return filepath.Join(filepath.Dir(w.site.Config), "forks") }

// pinFromCommand has a command print the PIN.
func (w *world) pinFromCommand() error {
	script := filepath.Join(filepath.Dir(w.site.Config), "print-pin")
	text := fmt.Sprintf("#!/bin/sh\necho $PPID $(date +%%s%%N) >> %s\ncat %s\n", w.forks(), w.site.Token.PINFile)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		return err
	}
	config, err := os.ReadFile(w.site.Config)
	if err != nil {
		return err
	}
	from := fmt.Appendf(nil, "pin: {file: %q}", w.site.Token.PINFile)
	if !bytes.Contains(config, from) {
		return fmt.Errorf("the configuration has no %q", from)
	}
	return os.WriteFile(w.site.Config, bytes.ReplaceAll(config, from, fmt.Appendf(nil, "pin: {command: [%q]}", script)), 0o600)
}

// forkedFirst wants each worker to have run the command before C_Initialize had ended.
func (w *world) forkedFirst() error {
	text, err := os.ReadFile(w.forks())
	if err != nil {
		return err
	}
	calls, err := w.calls()
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		pid, at, err := parseFork(line)
		if err != nil {
			return err
		}
		for _, c := range calls {
			if c.PID == pid && c.Function == "C_Initialize" {
				n++
				if c.Time.Before(at) {
					return broken(errMet, "worker %d has forked %v after C_Initialize", pid, at.Sub(c.Time))
				}
			}
		}
	}
	if n < 2 {
		return fmt.Errorf("%d starts of workers with a command were seen, want 2", n)
	}
	return nil
}

func parseFork(line string) (pid int, at time.Time, err error) {
	who, when, _ := strings.Cut(strings.TrimSpace(line), " ")
	if pid, err = strconv.Atoi(who); err != nil {
		return 0, at, err
	}
	nanoseconds, err := strconv.ParseInt(when, 10, 64)
	return pid, time.Unix(0, nanoseconds), err
}
