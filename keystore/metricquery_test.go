package keystore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
)

// keptFigures are figures that do not change, by the keys of their series.
type keptFigures struct {
	series  map[string]metric.Series
	points  map[string][]metric.Point
	samples []metric.Sample
}

func newFigures() *keptFigures {
	return &keptFigures{series: map[string]metric.Series{}, points: map[string][]metric.Point{}}
}

func (f *keptFigures) keep(s metric.Series, points ...metric.Point) *keptFigures {
	f.series[s.Key()], f.points[s.Key()] = s, points
	return f
}

func (f *keptFigures) Series(since time.Time) (all []metric.Series) {
	for key, s := range f.series {
		if points := f.points[key]; len(points) > 0 && !points[len(points)-1].Time.Before(since) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b metric.Series) int { return strings.Compare(a.Key(), b.Key()) })
	return all
}

func (f *keptFigures) Points(s metric.Series, from, to time.Time) ([]metric.Point, error) {
	return slices.DeleteFunc(slices.Clone(f.points[s.Key()]), func(p metric.Point) bool {
		return p.Time.Before(from) || !p.Time.Before(to)
	}), nil
}

func (f *keptFigures) Samples(context.Context) iter.Seq[metric.Sample] {
	return slices.Values(f.samples)
}

// noon is when the metrics of these tests begin.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// at is some time after noon.
func at(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(d)) }

// hsmSeries is a metric of an HSM.
func hsmSeries(name, hsm string) metric.Series {
	return metric.Series{
		Namespace: metric.CloudHSM, Name: name, Unit: "Count",
		Dimensions: []metric.Dimension{{Name: "ClusterId", Value: clusterID}, {Name: "HsmId", Value: hsm}, {Name: "Region", Value: "us-east-1"}},
	}
}

// dimensionsOf are those of hsmSeries, in another order.
func dimensionsOf(hsm string) []*cloudwatchv1.Dimension {
	return []*cloudwatchv1.Dimension{
		{Name: new("Region"), Value: new("us-east-1")}, {Name: new("HsmId"), Value: &hsm}, {Name: new("ClusterId"), Value: new(clusterID)},
	}
}

// minutes are points of minutes from noon on: each has two samples, of which the second is
// twice the first.
func minutes(first ...float64) (points []metric.Point) {
	for i, v := range first {
		points = append(points, metric.Point{Time: noon.Add(time.Duration(i) * time.Minute), Min: v, Max: 2 * v, Sum: 3 * v, Samples: 2})
	}
	return points
}

// startWithFigures is a service with figures, at a time after noon.
func startWithFigures(t *testing.T, f Figures, now time.Duration) *service {
	t.Helper()
	s := newService(t)
	s.now = func() time.Time { return noon.Add(now) }
	s.initToken()
	s.start()
	t.Cleanup(s.stop)
	s.figures = f
	return s
}

// Periods begin with the minute of the start, wherever in the hour that is.
func TestMetricPeriods(t *testing.T) {
	t.Parallel()
	all := minutes(1, 2, 3, 4, 5, 6, 7)
	for name, test := range map[string]struct {
		start, end time.Duration
		period     time.Duration
		periods    int64
		want       string
	}{
		"minutes":                        {0, 2 * time.Minute, time.Minute, 2, "12:00 1..2 2, 12:01 2..4 2"},
		"the start's seconds are cut":    {59 * time.Second, 2 * time.Minute, time.Minute, 2, "12:00 1..2 2, 12:01 2..4 2"},
		"a minute begins before the end": {0, 61 * time.Second, time.Minute, 2, "12:00 1..2 2, 12:01 2..4 2"},
		"together":                       {0, 7 * time.Minute, 3 * time.Minute, 3, "12:00 1..6 6, 12:03 4..12 6, 12:06 7..14 2"},
		"from an odd minute on":          {time.Minute, 7 * time.Minute, 5 * time.Minute, 2, "12:01 2..12 10, 12:06 7..14 2"},
		"from long ago":                  {-100 * 365 * 24 * time.Hour, time.Minute, 90 * 365 * 24 * time.Hour, 2, "12:00 1..2 2"},
	} {
		q, err := newMetricTime(badMetricQuery, at(test.start), at(test.end))
		if err != nil {
			t.Fatal(err)
		}
		points, _ := newFigures().keep(hsmSeries("X", "hsm-a"), all...).Points(hsmSeries("X", "hsm-a"), q.from, q.to)
		var got []string
		for _, p := range q.together(points, test.period) {
			got = append(got, fmt.Sprintf("%s %v..%v %d", p.Time.UTC().Format("15:04"), p.Min, p.Max, p.Samples))
		}
		if strings.Join(got, ", ") != test.want || q.periods(test.period) != test.periods {
			t.Errorf("%s: %d periods, %q; want %d, %q", name, q.periods(test.period), got, test.periods, test.want)
		}
	}
}

// Units are CloudWatch's, and what is none of them is none.
func TestMetricUnits(t *testing.T) {
	t.Parallel()
	api, err := compileAPI()
	if err != nil {
		t.Fatal(err)
	}
	k := &Keystore{api: api}
	for unit, want := range map[string]cloudwatchv1.StandardUnit{
		"Count": cloudwatchv1.StandardUnit_STANDARD_UNIT_COUNT, "Milliseconds": cloudwatchv1.StandardUnit_STANDARD_UNIT_MILLISECONDS,
		"Bytes/Second": cloudwatchv1.StandardUnit_STANDARD_UNIT_BYTES_PER_SECOND, "None": cloudwatchv1.StandardUnit_STANDARD_UNIT_NONE,
		"": cloudwatchv1.StandardUnit_STANDARD_UNIT_NONE, "Celsius": cloudwatchv1.StandardUnit_STANDARD_UNIT_NONE,
	} {
		if got := k.metricUnit(metric.Series{Unit: unit}); got != want || !k.isOfUnit(metric.Series{Unit: unit}, &want) {
			t.Errorf("%q is %v, want %v", unit, got, want)
		}
	}
}

// A percentile that is told is true.
func TestMetricStatistics(t *testing.T) {
	t.Parallel()
	differ, same := metric.Point{Min: 1, Max: 5, Sum: 9, Samples: 3}, metric.Point{Min: 4, Max: 4, Sum: 8, Samples: 2}
	for name, want := range map[string][2]string{
		"SampleCount": {"3 true", "2 true"}, "Average": {"3 true", "4 true"}, "Sum": {"9 true", "8 true"},
		"Minimum": {"1 true", "4 true"}, "Maximum": {"5 true", "4 true"},
		"p50": {"1 false", "4 true"}, "p99.99": {"1 false", "4 true"}, "p100": {"1 false", "4 true"}, "p0": {"1 false", "4 true"},
	} {
		of := func(p metric.Point) string { return fmt.Sprint(metricStatisticOf(name)(p)) }
		if got := [2]string{of(differ), of(same)}; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, ok := anyPercentile(metric.Point{Min: -1, Max: -1, Sum: -1, Samples: 1}); ok {
		t.Error("there is a percentile of a negative value")
	}
	for _, name := range []string{"", "average", "Min", "p", "p101", "p100.5", "p99.", "P99", "tm90", "IQM", "PR(0:1)", "wm(10%:90%)"} {
		if metricStatisticOf(name) != nil {
			t.Errorf("%q is a statistic", name)
		}
	}
}
