package sealfile_test

import (
	"io"
	"runtime"
	"testing"

	"github.com/strongroom-kms/strongroom/cmd/internal/sealfile"
)

// TestMemoryDoesNotGrowWithTheFile pipes 64 MiB through Seal and Open and
// counts what was allocated on the way, freed or not.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	const size, limit = 64 << 20, 8 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, w := io.Pipe()
	sealed := make(chan error, 1)
	go func() {
		err := sealfile.Seal(t.Context(), w, io.LimitReader(zeros{}, size), wrap)
		sealed <- err
		_ = w.CloseWithError(err) // it returns nil always
	}()
	count := &counter{}
	if err := sealfile.Open(t.Context(), count, r, unwrap); err != nil {
		t.Fatal(err)
	}
	if err := <-sealed; err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; count.n != size || allocated > limit {
		t.Errorf("opened %d of %d bytes, allocating %d, want at most %d", count.n, size, allocated, limit)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}
