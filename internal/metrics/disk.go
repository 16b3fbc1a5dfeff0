package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// disks collects how much room there is under directories.
type disks struct {
	directories map[string]string
	free, size  *prometheus.Desc
}

// NewDisks returns a collector of the room on the disks of directories, which have names. One
// that is not there has no metrics.
func NewDisks(directories map[string]string) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("strongroom_disk_"+name+"_bytes", help, []string{"directory"}, nil)
	}
	return &disks{
		directories: directories,
		free:        desc("free", "Room that is left on the disk of a directory."),
		size:        desc("size", "Size of the disk of a directory."),
	}
}

// Describe implements prometheus.Collector.
func (d *disks) Describe(descs chan<- *prometheus.Desc) {
	descs <- d.free
	descs <- d.size
}

// Collect implements prometheus.Collector.
func (d *disks) Collect(metrics chan<- prometheus.Metric) {
	for _, name := range slices.Sorted(maps.Keys(d.directories)) {
		var disk unix.Statfs_t
		if unix.Statfs(d.directories[name], &disk) != nil {
			continue
		}
		block := float64(disk.Bsize)
		metrics <- prometheus.MustNewConstMetric(d.free, prometheus.GaugeValue, float64(disk.Bavail)*block, name)
		metrics <- prometheus.MustNewConstMetric(d.size, prometheus.GaugeValue, float64(disk.Blocks)*block, name)
	}
}
