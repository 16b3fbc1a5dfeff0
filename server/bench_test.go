package server

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// BenchmarkNoOperation is the floor of every request: TLS, gRPC and the
// interceptors around an operation that does nothing, over four connections.
// Its CPU time is the server's and the clients' together.
func BenchmarkNoOperation(b *testing.B) {
	for _, inFlight := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			h := newHarness(b).start()
			clients := make([]kmsv1.KeyManagementServiceClient, min(4, inFlight))
			for i := range clients {
				clients[i] = h.client()
			}
			ctx, request := h.context(), &kmsv1.DescribeKeyRequest{KeyId: new("1234abcd-12ab-34cd-56ef-1234567890ab")}
			var left atomic.Int64
			left.Store(int64(b.N))
			var workers sync.WaitGroup
			b.ResetTimer()
			before := cpuTime(b)
			for i := range inFlight {
				workers.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := clients[i%len(clients)].DescribeKey(ctx, request); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			workers.Wait()
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
