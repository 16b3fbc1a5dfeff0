package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

// tagUnrecorded builds a server that leaves no event of these requests.
const tagUnrecorded = "unrecorded"

// journalRow is what the durable journal costs an operation. Times are in
// microseconds of CPU per request.
type journalRow struct {
	Name     string `json:"name"`
	InFlight int    `json:"inFlight"`
	// With and Without are the medians of the server's CPU, and PerSecondWith and
	// PerSecondWithout of the throughput.
	With             float64 `json:"serverCPUMicrosWith"`
	Without          float64 `json:"serverCPUMicrosWithout"`
	PerSecondWith    float64 `json:"perSecondWith"`
	PerSecondWithout float64 `json:"perSecondWithout"`
	// Cost is the median of the rounds' differences in the server's CPU, and Kept of
	// the rounds' ratios of the throughput, with the journal over without.
	Cost float64 `json:"journalCPUMicros"`
	Kept float64 `json:"throughputKept"`
	// Costs and Keeps are those of each round, sorted.
	Costs []float64 `json:"costs"`
	Keeps []float64 `json:"keeps"`
}

// journalReport is a run of measureJournal.
type journalReport struct {
	Machine string       `json:"machine"`
	Rounds  int          `json:"rounds"`
	Rows    []journalRow `json:"rows"`
}

// contender is one of the two builds, with a server of its own that runs all the time.
type contender struct {
	*bench
	subject *subject
}

// measureJournal measures both builds by turns, so that what else the machine does
// meets both.
func measureJournal(ctx context.Context, o options) (*journalReport, error) {
	dir, err := os.MkdirTemp("", "strongroom-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	with, err := newContender(ctx, o, filepath.Join(dir, "with"), "")
	if err != nil {
		return nil, err
	}
	defer with.subject.Kill()
	without, err := newContender(ctx, o, filepath.Join(dir, "without"), tagUnrecorded)
	if err != nil {
		return nil, err
	}
	defer without.subject.Kill()
	r := &journalReport{Machine: o.machine(), Rounds: o.rounds}
	for _, operation := range []string{opEncrypt, opDecrypt, opDataKey, opDescribe} {
		for _, n := range o.inFlight {
			row, err := compareBuilds(ctx, with, without, operation, n)
			if err != nil {
				return nil, err
			}
			r.Rows = append(r.Rows, row)
		}
	}
	return r, nil
}

func newContender(ctx context.Context, o options, dir, tags string) (*contender, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	b, err := newBench(ctx, o, dir, tags)
	if err != nil {
		return nil, err
	}
	server, err := b.site.Start(ctx)
	if err != nil {
		return nil, err
	}
	s, err := b.newSubject(ctx, server)
	if err != nil {
		server.Kill()
		return nil, err
	}
	return &contender{bench: b, subject: s}, nil
}

// compareBuilds measures the operation in all rounds. Each round begins with the
// other build.
func compareBuilds(ctx context.Context, with, without *contender, operation string, inFlight int) (journalRow, error) {
	var a, b []row
	for round := range with.rounds {
		first, second := with, without
		if round%2 == 1 {
			first, second = without, with
		}
		one, err := first.once(ctx, operation, inFlight)
		if err != nil {
			return journalRow{}, err
		}
		other, err := second.once(ctx, operation, inFlight)
		if err != nil {
			return journalRow{}, err
		}
		if first != with {
			one, other = other, one
		}
		a, b = append(a, one), append(b, other)
	}
	return compared(operation, inFlight, a, b), nil
}

func (c *contender) once(ctx context.Context, operation string, inFlight int) (row, error) {
	s := c.subject
	return c.measure(c.load(ctx, operation, inFlight, s.Address, s.kmsKey), operation, inFlight, s.PID, s.worker)
}

// compared relates the rounds with the journal to those without it.
func compared(operation string, inFlight int, with, without []row) journalRow {
	r := journalRow{
		Name: operation, InFlight: inFlight,
		With: medianOf(with, serverCPU), Without: medianOf(without, serverCPU),
		PerSecondWith: medianOf(with, perSecond), PerSecondWithout: medianOf(without, perSecond),
	}
	for i := range with {
		r.Costs = append(r.Costs, with[i].Server-without[i].Server)
		r.Keeps = append(r.Keeps, ratio(with[i].PerSecond, without[i].PerSecond))
	}
	slices.Sort(r.Costs)
	slices.Sort(r.Keeps)
	r.Cost, r.Kept = median(r.Costs), median(r.Keeps)
	return r
}

func serverCPU(r row) float64 { return r.Server }

func perSecond(r row) float64 { return r.PerSecond }

func medianOf(rows []row, value func(row) float64) float64 {
	var all []float64
	for _, r := range rows {
		all = append(all, value(r))
	}
	slices.Sort(all)
	return median(all)
}

// median returns the middle of sorted values; of two in the middle their mean.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// print writes a table.
func (r *journalReport) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, medians of %d rounds by turns; CPU is the server's, µs per request\n\n", r.Machine, r.Rounds)
	fmt.Fprintln(t, "\tin flight\tCPU with\twithout\tjournal\tlowest\thighest\tper second with\twithout\tkept\tlowest\thighest\t")
	for _, row := range r.Rows {
		last := len(row.Costs) - 1
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t\n",
			row.Name, row.InFlight, row.With, row.Without, row.Cost, row.Costs[0], row.Costs[last],
			row.PerSecondWith, row.PerSecondWithout, row.Kept, row.Keeps[0], row.Keeps[last])
	}
	return t.Flush()
}
