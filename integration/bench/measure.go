package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// bench is a run.
type bench struct {
	options
	dir  string
	site *harness.Site
}

func measureAll(ctx context.Context, o options) (*report, error) {
	dir, err := os.MkdirTemp("", "strongroom-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	b, err := newBench(ctx, o, dir, "")
	if err != nil {
		return nil, err
	}
	r := &report{Machine: o.machine()}
	for _, part := range []func(context.Context) ([]row, error){b.token, b.noop, b.journal, b.operations} {
		rows, err := part(ctx)
		if err != nil {
			return nil, err
		}
		r.Rows = append(r.Rows, rows...)
	}
	r.addRatios()
	return r, nil
}

// newBench builds the program with the tags, unless the options name one, and makes
// in dir what a server needs.
func newBench(ctx context.Context, o options, dir, tags string) (*bench, error) {
	if o.binary == "" {
		o.binary = filepath.Join(dir, "strongroom")
		build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-tags", tags, "-o", o.binary, "./cmd/strongroom")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building strongroom: %w\n%s", err, out)
		}
	}
	site, err := harness.NewSite(ctx, harness.Options{Binary: o.binary, Dir: dir, AWS: true})
	if err != nil {
		return nil, err
	}
	return &bench{options: o, dir: dir, site: site}, nil
}

// machine says where and how long is measured.
func (o options) machine() string {
	return fmt.Sprintf("%d CPUs, %s %s/%s, %v a row", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, o.duration)
}

func (b *bench) token(ctx context.Context) ([]row, error) {
	r, err := tokenFloor(ctx, b.options, b.dir)
	return []row{r}, err
}

// noop measures calls of a server that does nothing.
func (b *bench) noop(ctx context.Context) ([]row, error) {
	server, err := b.site.CA.IssueServer("noop")
	if err != nil {
		return nil, err
	}
	cmd := b.child(ctx, "noop", 1, "-child-ca", b.site.CA.Cert, "-child-cert", server.Cert, "-child-key", server.Key, "-child-kms-key", sampleARN)
	p, err := harness.Spawn(cmd)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	address, err := p.Stdout.Await(ctx, p.Exited(), "127.0.0.1:")
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, n := range b.inFlight {
		r, err := b.measure(b.load(ctx, opNoop, n, address, sampleARN), rowNoop, n, p.PID, 0)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// sampleARN is as long as a key's ARN.
const sampleARN = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"

func (b *bench) journal(ctx context.Context) ([]row, error) {
	var rows []row
	for _, n := range b.inFlight {
		cmd := b.child(ctx, "journal", n, "-child-dir", filepath.Join(b.dir, "journal-"+strconv.Itoa(n)))
		r, err := b.measure(cmd, rowJournal, n, func() int { return cmd.Process.Pid }, 0)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// child prepares a child process of this program.
func (b *bench) child(ctx context.Context, role string, inFlight int, args ...string) *exec.Cmd {
	args = append([]string{
		"-child", role, "-in-flight", strconv.Itoa(inFlight),
		"-duration", b.duration.String(), "-warmup", b.warmup.String(),
	}, args...)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// measure runs a child that measures, and counts the CPU time of the server
// and, if there is one, of the worker meanwhile.
func (b *bench) measure(cmd *exec.Cmd, name string, inFlight int, server func() int, worker int) (row, error) {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return row{}, fmt.Errorf("%s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return row{}, fmt.Errorf("%s: %w", name, err)
	}
	t, used, readErr := follow(stdout, server(), worker)
	if err := cmd.Wait(); err != nil {
		return row{}, fmt.Errorf("%s at %d in flight: %w", name, inFlight, err)
	}
	if readErr != nil {
		return row{}, fmt.Errorf("%s at %d in flight: %w", name, inFlight, readErr)
	}
	n := float64(max(t.Requests, 1))
	r := row{
		Name: name, InFlight: inFlight, PerSecond: n / t.Took.Seconds(),
		CPU: micros(used.server+used.worker) / n, P50: micros(t.P50), P99: micros(t.P99),
	}
	if worker != 0 {
		r.Server, r.Worker = micros(used.server)/n, micros(used.worker)/n
	}
	return r, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// cpu is the CPU time of both processes.
type cpu struct{ server, worker time.Duration }

// follow reads a child's lines to its end.
func follow(stdout io.Reader, server, worker int) (t timing, used cpu, err error) {
	var begin cpu
	for lines := bufio.NewScanner(stdout); lines.Scan() && err == nil; {
		switch line := lines.Text(); line {
		case lineBegin:
			begin, err = readCPU(server, worker)
		case lineEnd:
			used, err = readCPU(server, worker)
		default:
			err = json.Unmarshal([]byte(strings.TrimPrefix(line, lineResult)), &t)
		}
	}
	return t, cpu{used.server - begin.server, used.worker - begin.worker}, err
}

func readCPU(server, worker int) (c cpu, err error) {
	if c.server, err = harness.CPUTime(server); err != nil || worker == 0 {
		return c, err
	}
	c.worker, err = harness.CPUTime(worker)
	return c, err
}
