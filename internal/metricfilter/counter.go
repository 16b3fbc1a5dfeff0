package metricfilter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// interval is how often the trails are read.
const interval = time.Second

// Options say what is counted. Trail is mandatory.
type Options struct {
	// Trail has the records; those are counted that are newer than its head is when New is
	// called.
	Trail *audit.Trail
	// Filters have different names.
	Filters []Filter
	// Interval is how often the trails are read; 0: each second.
	Interval time.Duration
	// Logger is told of records that cannot be compared. It may be nil.
	Logger hclog.Logger
}

// Counter counts the records that match filters. It collects
// strongroom_metric_filter_matches_total, and _failures_total of records for which a
// condition was too much.
type Counter struct {
	o       Options
	filters []*compiled
	matches *prometheus.CounterVec
	failed  *prometheus.CounterVec
	read    uint64 // number of the newest record that was read
	fault   string // that was told of last
}

var _ prometheus.Collector = (*Counter)(nil)

// New returns a Counter, which reads nothing before Run. It fails if a condition is wrong.
func New(o Options) (*Counter, error) {
	if o.Interval == 0 {
		o.Interval = interval
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	c := &Counter{
		o: o, read: o.Trail.Head().Seq,
		matches: counters("matches_total", "Records of the audit trails that have matched the metric filter."),
		failed:  counters("failures_total", "Records whose comparison with the metric filter was given up."),
	}
	for _, f := range o.Filters {
		one, err := f.compile()
		if err != nil {
			return nil, fmt.Errorf("metric filter %s: %w", f.Name, err)
		}
		c.filters = append(c.filters, one)
		c.matches.WithLabelValues(f.Name)
		c.failed.WithLabelValues(f.Name)
	}
	return c, nil
}

func counters(name, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strongroom_metric_filter_" + name, Help: help}, []string{"filter"})
}

// Describe implements prometheus.Collector.
func (c *Counter) Describe(descs chan<- *prometheus.Desc) {
	c.matches.Describe(descs)
	c.failed.Describe(descs)
}

// Collect implements prometheus.Collector.
func (c *Counter) Collect(metrics chan<- prometheus.Metric) {
	c.matches.Collect(metrics)
	c.failed.Collect(metrics)
}

// Run reads the trails at each interval until ctx ends or the trail is closed.
func (c *Counter) Run(ctx context.Context) {
	ticker := time.NewTicker(c.o.Interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		err := c.follow(ctx, ticker.C)
		if errors.Is(err, journal.ErrClosed) {
			return
		}
		if err != nil {
			c.tell("the audit trails cannot be read for the metric filters", err)
			c.wait(ctx, ticker.C)
		}
	}
}

// follow reads on from where reading has come to, until it fails or ctx ends.
func (c *Counter) follow(ctx context.Context, tick <-chan time.Time) error {
	reader := c.o.Trail.Reader(c.read)
	defer reader.Close()
	for ctx.Err() == nil {
		records, err := reader.Next()
		switch {
		case errors.Is(err, journal.ErrTrimmed):
			c.read = max(c.read, c.o.Trail.First()-1)
			return errors.New("retention has removed some records before they were compared")
		case err != nil:
			return err
		case len(records) == 0:
			c.wait(ctx, tick)
		}
		for _, r := range records {
			c.compare(r)
			c.read = r.Seq
		}
	}
	return nil
}

func (c *Counter) wait(ctx context.Context, tick <-chan time.Time) {
	select {
	case <-tick:
	case <-ctx.Done():
	}
}

func (c *Counter) compare(r audit.Record) {
	for _, f := range c.filters {
		matches, err := f.match(r)
		switch {
		case err != nil:
			c.failed.WithLabelValues(f.Name).Inc()
			c.tell("a metric filter was not compared with a record", fmt.Errorf("metric filter %s: %w", f.Name, err))
		case matches:
			c.matches.WithLabelValues(f.Name).Inc()
		}
	}
}

// tell tells the log of a fault, unless it was told of it last.
func (c *Counter) tell(what string, err error) {
	if err.Error() != c.fault {
		c.fault = err.Error()
		c.o.Logger.Error(what, "error", err)
	}
}
