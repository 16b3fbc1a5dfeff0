package daemon

import (
	"github.com/strongroom-kms/strongroom/internal/config"
	"github.com/strongroom-kms/strongroom/internal/telemetry"
)

// devices returns the HSMs of the default key store and of the clusters.
func devices(c *config.Config) []*config.Device {
	all := []*config.Device{&c.HSM.Device}
	for i := range c.Clusters {
		all = append(all, &c.Clusters[i].Device)
	}
	return all
}

// telemetrySources are the operator's sources, of all HSMs that have one.
func telemetrySources(c *config.Config) (all []telemetry.Source) {
	add := func(hsmID string, t config.Telemetry) {
		if t.Given() {
			all = append(all, telemetry.Source{
				HSMID: hsmID, Command: t.Command, URL: t.URL, File: t.File,
				Every: t.Every, Timeout: t.Timeout, MaxTemperature: float64(t.MaxTemperature),
			})
		}
	}
	for _, d := range devices(c) {
		add(d.HSMID, d.Telemetry)
		for _, m := range d.Members {
			add(m.HSMID, m.Telemetry)
		}
	}
	return all
}
