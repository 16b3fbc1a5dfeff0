package harness

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
)

// Log is what a process has written. It is an io.Writer for exec.Cmd.
type Log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next change
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{changed: make(chan struct{})} }

// Write appends to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

// String returns everything so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Await waits for a complete line that contains text and returns it, until ctx
// or the process, whose end closes exited, is over.
func (l *Log) Await(ctx context.Context, exited <-chan struct{}, text string) (string, error) {
	for {
		l.mu.Lock()
		line, found := findLine(l.text.String(), text)
		changed := l.changed
		l.mu.Unlock()
		if found {
			return line, nil
		}
		select {
		case <-changed:
		case <-exited:
			if line, found = findLine(l.String(), text); found {
				return line, nil
			}
			return "", fmt.Errorf("the process ended without printing %q:\n%s", text, l)
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for %q: %w; so far:\n%s", text, context.Cause(ctx), l)
		}
	}
}

func findLine(all, text string) (string, bool) {
	for line := range strings.Lines(all) {
		if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
			return strings.TrimSuffix(line, "\n"), true
		}
	}
	return "", false
}
