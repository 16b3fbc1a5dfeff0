package metrics_test

import (
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/strongroom-kms/strongroom/internal/metrics"
)

// TestDisks compares with what the system says, of a disk that does not change.
func TestDisks(t *testing.T) {
	t.Parallel()
	const still = "/proc"
	var disk unix.Statfs_t
	if err := unix.Statfs(still, &disk); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.NewDisks(map[string]string{"data": still, "trail": t.TempDir(), "gone": filepath.Join(t.TempDir(), "gone")}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	if got, want := values["strongroom_disk_size_bytes data"], float64(disk.Blocks)*float64(disk.Bsize); got != want {
		t.Errorf("%s has %v bytes, want %v", still, got, want)
	}
	free, size := values["strongroom_disk_free_bytes trail"], values["strongroom_disk_size_bytes trail"]
	if size <= 0 || free > size || len(values) != 4 {
		t.Errorf("%v of %v bytes are free; all: %v", free, size, values)
	}
}
