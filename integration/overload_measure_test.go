package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// samples are what two processes have used, from time to time.
type samples struct {
	t              *testing.T
	server, worker usage
	done           chan struct{}
	stop           context.CancelFunc
}

// usage is the resident memory, in bytes, and the threads of a process.
type usage struct{ memory, threads []int }

// sample looks at the server and its worker until expectFlat, or the end of the
// test.
func sample(t *testing.T, server *harness.Server) *samples {
	t.Helper()
	worker, err := server.Worker(within(t, 10*time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &samples{t: t, done: make(chan struct{}), stop: stop}
	go func() {
		defer close(s.done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.server.add(server.PID())
				s.worker.add(worker)
			}
		}
	}()
	t.Cleanup(s.end)
	return s
}

func (s *samples) end() {
	s.stop()
	<-s.done
}

// add looks at a process; one that has ended adds nothing.
func (u *usage) add(pid int) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "VmRSS:":
			u.memory = append(u.memory, n<<10)
		case "Threads:":
			u.threads = append(u.threads, n)
		}
	}
}

// mostMemory is how much a process may have resident in an overload, in bytes.
const mostMemory = 1 << 30

// expectFlat compares the last quarter of the time with the second: the first is
// when memory is taken that is then used again.
func (s *samples) expectFlat(run string) {
	s.t.Helper()
	s.end()
	for name, u := range map[string]usage{"server": s.server, "worker": s.worker} {
		n := len(u.memory)
		if n < 8 {
			s.t.Fatalf("%s: only %d samples", name, n)
		}
		early, late := slices.Max(u.memory[n/4:n/2]), slices.Max(u.memory[3*n/4:])
		s.t.Logf("%s: %s: resident memory %d MiB at first, at most %d in the second quarter and %d in the last; at most %d threads",
			run, name, u.memory[0]>>20, early>>20, late>>20, slices.Max(u.threads))
		if late > early+early/4+64<<20 || late > mostMemory {
			s.t.Errorf("%s: %s: the memory grows", run, name)
		}
	}
}

var goroutinesPattern = regexp.MustCompile(`some of it was refused: .*goroutines=(\d+)`)

// expectGoroutines checks the goroutines that the server's log tells of: those
// for requests, those for refusals, and four for each connection.
func expectGoroutines(t *testing.T, server *harness.Server, s shape) {
	t.Helper()
	var counts []int
	for _, m := range goroutinesPattern.FindAllStringSubmatch(server.Stderr.String(), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, n)
	}
	t.Logf("goroutines of the server: %v", counts)
	most := 256 + 2*s.inFlight + 2048 + 8*s.connections + 100
	if len(counts) == 0 || slices.Max(counts) > most {
		t.Errorf("want at least one line about refusals, and at most %d goroutines", most)
	}
}

// expectRecorded expects one event for each answer that had a request id, with
// the error that was answered.
func expectRecorded(t *testing.T, client *harness.Client, files []string) {
	t.Helper()
	answered := readAnswers(t, files)
	total, missing := len(answered), 0
	stream, err := client.Operator.StreamEvents(within(t, 10*time.Minute), &operatorv1.StreamEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ RequestID, ErrorCode string }
		if err := json.Unmarshal([]byte(m.GetEventJson()), &e); err != nil {
			t.Fatal(err)
		}
		id, err := uuid.Parse(e.RequestID)
		if err != nil {
			continue // of the server's own
		}
		if code, ok := answered[id]; ok && code == e.ErrorCode {
			delete(answered, id)
		} else if ok {
			t.Errorf("request %v was answered with %q and its event says %q", id, code, e.ErrorCode)
		}
	}
	for id, code := range answered {
		if missing++; missing <= 5 {
			t.Errorf("request %v was answered with %q and has no event", id, code)
		}
	}
	t.Logf("%d answers with a request id, %d of them without an event", total, missing)
}

// readAnswers reads the load program's files: ids and names of errors.
func readAnswers(t *testing.T, files []string) map[uuid.UUID]string {
	t.Helper()
	answered := map[uuid.UUID]string{}
	names := map[string]string{} // one copy of each name
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			text, code, _ := strings.Cut(lines.Text(), " ")
			id, err := uuid.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := names[code]; !ok {
				names[code] = strings.Clone(code)
			}
			answered[id] = names[code]
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return answered
}
