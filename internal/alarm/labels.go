package alarm

import (
	"maps"
	"slices"
	"strings"
)

// labels tell the series of a metric apart. They are not changed once they are in use.
type labels map[string]string

// key is the same for the same labels, and for no others.
func (l labels) key() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(l)) {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(l[name])
		b.WriteByte(0)
	}
	return b.String()
}

// only returns those of some names. One without a value is not there, as in Prometheus.
func (l labels) only(names []string) labels {
	kept := labels{}
	for _, name := range names {
		if l[name] != "" {
			kept[name] = l[name]
		}
	}
	return kept
}

func (l labels) without(name string) labels {
	kept := maps.Clone(l)
	delete(kept, name)
	return kept
}

// sample is the value of a series at a moment.
type sample struct {
	labels labels
	value  float64
}
