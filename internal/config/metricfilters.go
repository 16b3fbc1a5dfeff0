package config

import (
	"fmt"
	"regexp"

	"github.com/strongroom-kms/strongroom/internal/metricfilter"
)

// MetricFilter is a named condition on the records of an audit trail. Those that match are
// counted, and an alarm fires (docs/monitoring.md).
type MetricFilter struct {
	// Name is the filter's label in metrics: 1 to 63 of a-z, 0-9 and dashes. No two have the
	// same; one with the name of a built-in filter stands in its place.
	Name string `yaml:"name"`
	// Trail is "events" or "hsm_log".
	Trail string `yaml:"trail"`
	// When is the condition in CEL, up to 4,096 characters: on `event`, an API event, or
	// `entry`, an entry of the HSM log.
	When string `yaml:"when"`
}

// filterPattern keeps the names of filters usable in URLs and in PromQL.
var filterPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// maxFilters bounds what each record is compared with.
const maxFilters = 64

func (v *validation) metricFilters(all []MetricFilter) {
	if len(all) > maxFilters {
		v.fault("metric_filters", "has %d filters, more than %d", len(all), maxFilters)
	}
	names := map[string]string{}
	for i, f := range all {
		field := fmt.Sprintf("metric_filters[%d]", i)
		v.matches(field+".name", f.Name, filterPattern, "1 to 63 of a-z, 0-9 and dashes")
		v.unique(names, field+".name", f.Name)
		v.oneOf(field+".trail", f.Trail, metricfilter.Events, metricfilter.HSMLog)
		if !v.present(field+".when", f.When) {
			continue
		}
		if err := metricfilter.Filter(f).Check(); err != nil {
			v.fault(field+".when", "%v", err)
		}
	}
}
