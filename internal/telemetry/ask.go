package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Bounds of what a source may say.
const (
	maxAnswer    = 64 << 10 // bytes
	maxComplaint = 200      // characters of what a command complains of
	maxLine      = 2000     // characters of all that is wrong with an answer
	killDelay    = time.Second
)

// errTooLong is of an answer beyond maxAnswer.
var errTooLong = fmt.Errorf("it says more than %d bytes", maxAnswer)

// fromCommand runs the command, in a process group of its own, which ends with it.
func (s *source) fromCommand(ctx context.Context) (report, error) {
	var stdout, stderr capped
	cmd := exec.CommandContext(ctx, s.Command[0], s.Command[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "STRONGROOM_HSM_ID=" + s.HSMID}
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killDelay
	err := cmd.Run()
	if cmd.Process != nil {
		_ = cmd.Cancel() // what it has left running
	}
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("it takes longer than %v", s.Timeout)
	case stdout.over:
		err = errTooLong
	case err != nil:
		err = fmt.Errorf("%w%s", err, stderr.words())
	}
	if err != nil {
		return report{}, fmt.Errorf("running %s: %w", s.Command[0], err)
	}
	return parse(stdout.text.Bytes(), time.Now())
}

// capped takes what is written up to a limit, and drops the rest.
type capped struct {
	text bytes.Buffer
	over bool
}

// Write is part of io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	if room := maxAnswer - c.text.Len(); len(p) > room {
		c.over = true
		c.text.Write(p[:room])
		return len(p), nil
	}
	return c.text.Write(p)
}

// words are the first line, for an error.
func (c *capped) words() string {
	line, _, _ := strings.Cut(strings.TrimSpace(c.text.String()), "\n")
	if line == "" {
		return ""
	}
	return fmt.Sprintf(": %.*q", maxComplaint, line)
}

// fromURL asks a server, and follows it nowhere else.
func (s *source) fromURL(ctx context.Context) (report, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return report{}, err
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return report{}, err // it names the URL
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	if answer.StatusCode != http.StatusOK {
		return report{}, fmt.Errorf("asking %s: it answers %s", s.URL, answer.Status)
	}
	text, err := readAll(answer.Body)
	if err != nil {
		return report{}, fmt.Errorf("asking %s: %w", s.URL, err)
	}
	return parse(text, time.Now())
}

// fromFile reads a file. What it says is as old as it is, and too old is nothing.
func (s *source) fromFile(context.Context) (report, error) {
	file, err := os.OpenFile(s.File, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe does not keep it waiting
	if err != nil {
		return report{}, err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return report{}, err
	}
	if !info.Mode().IsRegular() {
		return report{}, fmt.Errorf("%s is not a file", s.File)
	}
	switch age, most := time.Since(info.ModTime()), freshPeriods*s.Every; {
	case age > most:
		return report{}, fmt.Errorf("%s was not written for longer than %v", s.File, most)
	case age < -most: // it would never be too old
		return report{}, fmt.Errorf("%s is of a time to come, %v: see to the clocks", s.File, info.ModTime())
	}
	text, err := readAll(file)
	if err != nil {
		return report{}, fmt.Errorf("reading %s: %w", s.File, err)
	}
	return parse(text, info.ModTime())
}

func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = errTooLong
	}
	return text, err
}

// faults counts the errors that are joined in one.
func faults(err error) uint64 {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &joined):
		return uint64(len(joined.Unwrap()))
	}
	return 1
}
