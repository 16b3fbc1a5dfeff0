package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is what a run counts.
type report struct {
	requests, lost     int
	operations, errors map[string]int
	faults             map[string]int
	// skipped are faults that met nobody: signals to a worker that was not there.
	skipped    int
	recoveries []time.Duration
	slowest    time.Duration
	// keys, ciphertexts, MACs and events are how many were checked at the end.
	keys, ciphertexts, macs, events, entries int
	// goroutines are those of the server at rest.
	goroutines int
	// resources are those of the first calm and of the last.
	first, last resources
}

func newReport() *report {
	return &report{operations: map[string]int{}, errors: map[string]int{}, faults: map[string]int{}}
}

func (r *report) recovered(took time.Duration) { r.recoveries = append(r.recoveries, took) }

// count counts a history.
func (r *report) count(h *history) {
	for _, q := range h.requests {
		r.requests++
		r.operations[q.Operation]++
		r.slowest = max(r.slowest, q.Took)
		switch {
		case q.Lost != "":
			r.lost++
		case q.Outcome != "":
			r.errors[q.Outcome]++
		}
	}
	r.keys, r.ciphertexts, r.macs = len(h.keys), len(h.sealed), len(h.macs)
}

// add adds another run's counts.
func (r *report) add(o *report) {
	r.requests, r.lost, r.skipped = r.requests+o.requests, r.lost+o.lost, r.skipped+o.skipped
	r.keys, r.ciphertexts, r.macs = r.keys+o.keys, r.ciphertexts+o.ciphertexts, r.macs+o.macs
	r.events, r.entries = r.events+o.events, r.entries+o.entries
	for _, pair := range [][2]map[string]int{{r.operations, o.operations}, {r.errors, o.errors}, {r.faults, o.faults}} {
		for name, n := range pair[1] {
			pair[0][name] += n
		}
	}
	r.recoveries = append(r.recoveries, o.recoveries...)
	r.slowest = max(r.slowest, o.slowest)
}

// String is some lines for people.
func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests (%d answers lost), the slowest took %v; %d keys, %d ciphertexts, %d MACs, %d events, %d HSM entries\n",
		r.requests, r.lost, r.slowest.Round(time.Millisecond), r.keys, r.ciphertexts, r.macs, r.events, r.entries)
	fmt.Fprintf(&b, "operations: %s\nerrors answered: %s\nfaults: %s (%d signals met nobody)\n", counts(r.operations), counts(r.errors), counts(r.faults), r.skipped)
	if len(r.recoveries) > 0 {
		slices.Sort(r.recoveries)
		fmt.Fprintf(&b, "recoveries: %d, half of them within %v, all within %v\n", len(r.recoveries),
			r.recoveries[len(r.recoveries)/2].Round(time.Millisecond), r.recoveries[len(r.recoveries)-1].Round(time.Millisecond))
	}
	if r.last.processes > 0 { // not of several runs
		fmt.Fprintf(&b, "at first: %v\nat last:  %v; %d goroutines", r.first, r.last, r.goroutines)
	}
	return b.String()
}

// counts lists names with their counts, the most frequent first.
func counts(of map[string]int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", of[name], name)
	}
	return strings.Join(names, ", ")
}
