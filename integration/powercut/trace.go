package powercut

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// never is the position of what has not happened within the trace.
const never = math.MaxInt

// call is one system call of a trace. Its begin and end are positions in the trace:
// a call that ends at a lower position than another begins at was really over
// before the other began, because strace holds a thread at both points until it
// has written them down.
type call struct {
	name string
	args [][]byte // as strace prints them
	// result is what the call returned, below 0 if it failed; it has none if the
	// process was killed meanwhile.
	result     int64
	begin, end int
	// file is what begin has found the call's file descriptor to be.
	file *node
}

// watcher is shown the calls of a trace in order. Each call begins once and ends
// at most once.
type watcher interface {
	begins(*call) error
	ends(*call) error
}

// readTrace shows w the calls of a trace that name something below top. It takes
// what `strace -f -y -o` writes.
func readTrace(r io.Reader, top string, w watcher) error {
	t := tracer{top: []byte(top), watcher: w, pending: map[int]*call{}}
	lines := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line without its end was never finished
		}
		if err == nil {
			err = t.line(2*n, bytes.TrimSuffix(line, []byte("\n")))
		}
		if err != nil {
			return fmt.Errorf("line %d of the trace: %w: %.200q", n, err, line)
		}
	}
}

// tracer reads a trace.
type tracer struct {
	top     []byte
	watcher watcher
	pending map[int]*call // by thread
}

var (
	unfinished = []byte(" <unfinished ...>")
	resumed    = []byte(" resumed>")
)

// line takes in one line, which stands for the two positions at and at+1.
func (t *tracer) line(at int, line []byte) error {
	id, text, ok := bytes.Cut(line, []byte(" "))
	thread, err := strconv.Atoi(string(id))
	text = bytes.TrimLeft(text, " ")
	if !ok || err != nil || len(text) == 0 {
		return errors.New("it does not begin with a thread's id")
	}
	switch text[0] {
	case '+', '-': // an exit, a signal
		return nil
	case '<':
		return t.resume(at, thread, text)
	}
	if !bytes.Contains(text, t.top) {
		return nil
	}
	return t.begin(at, thread, text)
}

// begin takes in a line with which a call begins, and mostly ends too.
func (t *tracer) begin(at, thread int, text []byte) error {
	text, cut := bytes.CutSuffix(text, unfinished)
	name, rest, _ := bytes.Cut(text, []byte("("))
	args, rest, err := splitArgs(rest)
	if err != nil {
		return err
	}
	c := &call{name: string(name), args: args, begin: at, end: never}
	if err := t.watcher.begins(c); err != nil {
		return err
	}
	if t.pending[thread] != nil {
		return fmt.Errorf("thread %d is still in %s", thread, t.pending[thread].name)
	}
	t.pending[thread] = c
	if cut {
		return nil
	}
	return t.end(at+1, thread, rest)
}

// resume takes in the rest of a call that began earlier.
func (t *tracer) resume(at, thread int, text []byte) error {
	if t.pending[thread] == nil {
		return nil // nothing below top
	}
	_, rest, ok := bytes.Cut(text, resumed)
	if !ok {
		return errors.New("it resumes nothing")
	}
	if _, rest, _ = bytes.Cut(rest, []byte(")")); len(rest) == 0 {
		return errors.New("it has no result")
	}
	return t.end(at, thread, rest)
}

// end takes in a call's result: what follows its arguments.
func (t *tracer) end(at, thread int, rest []byte) error {
	c := t.pending[thread]
	delete(t.pending, thread)
	value, ok := bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte("= "))
	if !ok {
		return errors.New("it has no result")
	}
	if value[0] == '?' {
		return nil // killed, so it never returned
	}
	value = value[:len(value)-len(bytes.TrimLeft(value, "-x0123456789abcdef"))]
	result, err := strconv.ParseInt(string(value), 0, 64)
	if err != nil {
		return fmt.Errorf("its result: %w", err)
	}
	c.result, c.end = result, at
	return t.watcher.ends(c)
}

// splitArgs splits a call's arguments and returns what follows their closing
// bracket; that bracket is missing in an unfinished call.
func splitArgs(text []byte) (args [][]byte, rest []byte, err error) {
	start, depth := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			if i, err = skipString(text, i); err != nil {
				return nil, nil, err
			}
		case '<', '[', '{', '(':
			depth++
		case '>', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				args = append(args, bytes.TrimSpace(text[start:i]))
				start = i + 1
			}
		case ')':
			if depth == 0 {
				return append(args, bytes.TrimSpace(text[start:i])), text[i+1:], nil
			}
			depth--
		}
	}
	return append(args, bytes.TrimSpace(text[start:])), nil, nil
}

// skipString returns the index of the quote that ends the string which begins at
// index i.
func skipString(text []byte, i int) (int, error) {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i, nil
		}
	}
	return 0, errors.New("a string has no end")
}

// errAbridged says that strace was run with too small a -s.
var errAbridged = errors.New("a string is abridged, so its bytes are not known")

// simpleEscapes are the escapes of one letter.
var simpleEscapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'v': '\v', 'f': '\f', '"': '"', '\\': '\\'}

// unquote returns the bytes that a string argument stands for.
func unquote(arg []byte) ([]byte, error) {
	body, ok := bytes.CutPrefix(arg, []byte(`"`))
	if !ok {
		return nil, errors.New("an argument is no string: strace was not allowed to read the memory of the process")
	}
	if body, ok = bytes.CutSuffix(body, []byte(`"`)); !ok {
		return nil, errAbridged
	}
	out := make([]byte, 0, len(body)/2)
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			out = append(out, body[i])
			continue
		}
		i++
		if b, ok := simpleEscapes[body[i]]; ok {
			out = append(out, b)
			continue
		}
		b, n := octal(body[i:])
		if n == 0 {
			return nil, fmt.Errorf("a string has the unknown escape \\%c", body[i])
		}
		out = append(out, b)
		i += n - 1
	}
	return out, nil
}

// octal reads up to three octal digits, and says how many there are.
func octal(s []byte) (b byte, n int) {
	for n < len(s) && n < 3 && '0' <= s[n] && s[n] <= '7' {
		b = b<<3 | (s[n] - '0')
		n++
	}
	return b, n
}
