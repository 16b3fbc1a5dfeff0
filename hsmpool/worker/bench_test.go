//go:build cgo

package worker

import (
	"syscall"
	"testing"
	"time"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// BenchmarkSealRaw seals 32 bytes by the C code alone: the floor of everything above.
func BenchmarkSealRaw(b *testing.B) {
	token := newTestToken(b)
	e := token.executor(b)
	_, obj := token.generate(b)
	plaintext, aad := make([]byte, 32), make([]byte, 100)
	measure(b, func() bool {
		iv := [ivSize]byte{}
		return e.sealOnce(obj, &iv, plaintext, false, aad).rv == 0
	})
}

// BenchmarkSealRequest adds what the executor does for a request.
func BenchmarkSealRequest(b *testing.B) {
	token := newTestToken(b)
	e := token.executor(b)
	id, _ := token.generate(b)
	request := &workerv1.ToWorker{Request: &workerv1.ToWorker_Seal{Seal: &workerv1.SealRequest{
		ObjectId: id[:], Plaintext: make([]byte, 32), Aad: make([]byte, 100),
	}}}
	measure(b, func() bool { return e.handle(request).GetFailure() == nil })
}

// measure runs op b.N times and reports the CPU time of each.
func measure(b *testing.B, op func() bool) {
	b.Helper()
	before := cpu(b)
	n := 0
	for b.Loop() {
		n++
		if !op() {
			b.Fatal("failed")
		}
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(time.Microsecond)/float64(n), "cpu-µs/op")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
