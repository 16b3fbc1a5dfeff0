package keystore

import (
	"cmp"
	"regexp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
)

// metricTime is the time that a request asks for, in periods that are aligned with its
// start, as those of CloudWatch are.
type metricTime struct{ from, to time.Time }

// newMetricTime cuts the start down to its minute. What is wrong is of a kind.
func newMetricTime(wrong Kind, start, end *timestamppb.Timestamp) (metricTime, error) {
	from, to := start.AsTime(), end.AsTime()
	switch {
	case from.Equal(to):
		return metricTime{}, errorf(wrong, "The parameter StartTime must not equal parameter EndTime.")
	case from.After(to):
		return metricTime{}, errorf(wrong, "The parameter StartTime must be less than the parameter EndTime.")
	}
	return metricTime{from.Truncate(metric.Period), to}, nil
}

// newMetricPeriod is a period of so many seconds. What is wrong is of a kind.
func newMetricPeriod(wrong Kind, parameter string, seconds int32) (time.Duration, error) {
	period := time.Duration(seconds) * time.Second
	if period <= 0 || period%metric.Period != 0 {
		return 0, errorf(wrong, "The parameter %s must be a multiple of 60.", parameter)
	}
	return period, nil
}

// periods is how many periods the time has, the last of which may be cut off.
func (t metricTime) periods(period time.Duration) int64 {
	seconds := int64(period / time.Second)
	return (t.to.Unix() - t.from.Unix() + seconds - 1) / seconds // a Duration has no millennia
}

// together are the points of minutes as those of the periods that they are in. Both are
// in order.
func (t metricTime) together(minutes []metric.Point, period time.Duration) (all []metric.Point) {
	first, seconds := t.from.Unix(), int64(period/time.Second)
	for _, p := range minutes {
		p.Time = time.Unix(first+(p.Time.Unix()-first)/seconds*seconds, 0)
		if last := len(all) - 1; last >= 0 && all[last].Time.Equal(p.Time) {
			all[last] = all[last].With(p)
			continue
		}
		all = append(all, p)
	}
	return all
}

// metricSeries are the series that there are, by their keys.
func (k *Keystore) metricSeries() map[string]metric.Series {
	all := map[string]metric.Series{}
	for _, s := range k.figures.Series(time.Time{}) {
		all[s.Key()] = s
	}
	return all
}

// askedMetric is the series that a request names; it may not exist.
func askedMetric(namespace, name string, dimensions []*cloudwatchv1.Dimension) metric.Series {
	s := metric.Series{Namespace: namespace, Name: name}
	for _, d := range dimensions {
		s.Dimensions = append(s.Dimensions, metric.Dimension{Name: d.GetName(), Value: d.GetValue()})
	}
	slices.SortFunc(s.Dimensions, func(a, b metric.Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// metricUnit is a series' unit, which is spelt as CloudWatch spells it.
func (k *Keystore) metricUnit(s metric.Series) cloudwatchv1.StandardUnit {
	datapoint := k.api.Message((*cloudwatchv1.Datapoint)(nil).ProtoReflect().Descriptor().FullName())
	if n, ok := datapoint.ByWireName("Unit").Enum.Number(s.Unit); ok {
		return cloudwatchv1.StandardUnit(n)
	}
	return cloudwatchv1.StandardUnit_STANDARD_UNIT_NONE
}

// isOfUnit says whether a series has values of the unit that is asked for, if one is.
func (k *Keystore) isOfUnit(s metric.Series, asked *cloudwatchv1.StandardUnit) bool {
	return asked == nil || *asked == k.metricUnit(s)
}

// metricStatistic is a statistic of a point; it is not ok if it cannot be told.
type metricStatistic func(metric.Point) (value float64, ok bool)

// percentile is how CloudWatch names percentiles.
var percentile = regexp.MustCompile(`^p(100(\.0{1,10})?|\d{1,2}(\.\d{1,10})?)$`)

// metricStatisticOf is the statistic of a name; nil: there is none.
func metricStatisticOf(name string) metricStatistic {
	switch name {
	case "SampleCount":
		return func(p metric.Point) (float64, bool) { return float64(p.Samples), true }
	case "Average":
		return func(p metric.Point) (float64, bool) { return p.Average(), true }
	case "Sum":
		return func(p metric.Point) (float64, bool) { return p.Sum, true }
	case "Minimum":
		return func(p metric.Point) (float64, bool) { return p.Min, true }
	case "Maximum":
		return func(p metric.Point) (float64, bool) { return p.Max, true }
	}
	if percentile.MatchString(name) {
		return anyPercentile
	}
	return nil
}

// anyPercentile is every percentile of values that are all the same: of others it cannot
// be told, since no single values are kept. CloudWatch has it so for statistic sets, and
// has none of negative values.
func anyPercentile(p metric.Point) (float64, bool) { return p.Min, p.Min == p.Max && p.Min >= 0 }

// saidNoPercentile is why a percentile is missing.
const saidNoPercentile = "Percentiles can only be told of periods whose values are all the same: of each minute the minimum, the maximum, the sum and the count are kept."

// The kinds of error of requests that ask for what there is not.
const (
	badMetricValue       = annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER_VALUE
	badMetricCombination = annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER_COMBINATION
	badMetricQuery       = annotationsv1.ErrorKind_ERROR_KIND_VALIDATION
)
