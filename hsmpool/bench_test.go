package hsmpool_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// BenchmarkSeal seals 32 bytes through the pool with so many requests in flight, and
// reports the CPU time of this process and of the worker for each.
func BenchmarkSeal(b *testing.B) {
	pool := newHSM(b).open(b, func(c *hsmpool.Config) { c.Logger = hclog.NewNullLogger() })
	id := generate(b, pool)
	plaintext, aad := make([]byte, 32), make([]byte, 100)
	for _, inFlight := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			pid := pool.Describe()[0].WorkerPID
			server, worker := selfCPU(b), processCPU(b, pid)
			var left atomic.Int64
			left.Store(int64(b.N))
			var clients sync.WaitGroup
			for range inFlight {
				clients.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := pool.Seal(b.Context(), id, plaintext, aad); err != nil {
							b.Errorf("Seal: %v", err)
							return
						}
					}
				})
			}
			clients.Wait()
			b.ReportMetric(micros(selfCPU(b)-server)/float64(b.N), "server-cpu-µs/op")
			b.ReportMetric(micros(processCPU(b, pid)-worker)/float64(b.N), "worker-cpu-µs/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
		})
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func selfCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// processCPU reads user and system time of another process, in ticks of 10 ms.
func processCPU(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
