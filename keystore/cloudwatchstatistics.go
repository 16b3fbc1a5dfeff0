package keystore

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
)

// maxStatistics is how many periods GetMetricStatistics answers at most.
const maxStatistics = 1440

// GetMetricStatistics answers statistics of a metric, the oldest first.
func (k *Keystore) GetMetricStatistics(ctx context.Context, req *cloudwatchv1.GetMetricStatisticsRequest) (*cloudwatchv1.GetMetricStatisticsResponse, error) {
	return perform(ctx, k, cloudwatchv1.CloudWatchService_GetMetricStatistics_FullMethodName, req, plan[*cloudwatchv1.GetMetricStatisticsResponse]{
		run: func(context.Context, *proof) (*cloudwatchv1.GetMetricStatisticsResponse, error) {
			if err := k.hasFigures(); err != nil {
				return nil, err
			}
			points, unit, err := k.askedStatistics(req)
			if err != nil {
				return nil, err
			}
			res, missing := &cloudwatchv1.GetMetricStatisticsResponse{Label: req.MetricName}, false
			for _, p := range points {
				d, told := describePoint(req, p, unit)
				if told {
					res.Datapoints = append(res.Datapoints, d)
				}
				missing = missing || !told
			}
			if missing && len(res.Datapoints) == 0 {
				return nil, errorf(badMetricCombination, saidNoPercentile)
			}
			return res, nil
		},
	})
}

// askedStatistics are the points of the periods that a request asks for, and their unit.
func (k *Keystore) askedStatistics(req *cloudwatchv1.GetMetricStatisticsRequest) ([]metric.Point, cloudwatchv1.StandardUnit, error) {
	unit := cloudwatchv1.StandardUnit_STANDARD_UNIT_UNSPECIFIED
	if err := checkStatistics(req); err != nil {
		return nil, unit, err
	}
	t, err := newMetricTime(badMetricValue, req.GetStartTime(), req.GetEndTime())
	if err != nil {
		return nil, unit, err
	}
	period, err := newMetricPeriod(badMetricValue, "Period", req.GetPeriod())
	if err != nil {
		return nil, unit, err
	}
	if n := t.periods(period); n > maxStatistics {
		return nil, unit, errorf(badMetricCombination, "You have requested up to %d datapoints, which exceeds the limit of %d. "+
			"You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxStatistics)
	}
	s, ok := k.metricSeries()[askedMetric(req.GetNamespace(), req.GetMetricName(), req.GetDimensions()).Key()]
	if !ok || !k.isOfUnit(s, req.Unit) {
		return nil, unit, nil
	}
	minutes, err := k.figures.Points(s, t.from, t.to)
	if err != nil {
		return nil, unit, fmt.Errorf("reading the metric %s: %w", s.Name, err)
	}
	return t.together(minutes, period), k.metricUnit(s), nil
}

// checkStatistics refuses statistics that there are not, and a request without any.
func checkStatistics(req *cloudwatchv1.GetMetricStatisticsRequest) error {
	switch plain, extended := len(req.GetStatistics()), len(req.GetExtendedStatistics()); {
	case plain == 0 && extended == 0:
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_MISSING_REQUIRED_PARAMETER, "At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	case plain > 0 && extended > 0:
		return errorf(badMetricCombination, "The parameters Statistics and ExtendedStatistics must not both be specified.")
	}
	for i, name := range req.GetExtendedStatistics() {
		if !percentile.MatchString(name) {
			return errorf(badMetricValue, "The value %s for parameter ExtendedStatistics.member.%d is not supported.", name, i+1)
		}
	}
	return nil
}

// describePoint has the statistics of a period that a request asks for; they are not told
// if none of them can be.
func describePoint(req *cloudwatchv1.GetMetricStatisticsRequest, p metric.Point, unit cloudwatchv1.StandardUnit) (d *cloudwatchv1.Datapoint, told bool) {
	d = &cloudwatchv1.Datapoint{Timestamp: timestamppb.New(p.Time), Unit: &unit}
	for _, statistic := range req.GetStatistics() {
		switch statistic {
		case cloudwatchv1.Statistic_STATISTIC_SAMPLE_COUNT:
			d.SampleCount = new(float64(p.Samples))
		case cloudwatchv1.Statistic_STATISTIC_AVERAGE:
			d.Average = new(p.Average())
		case cloudwatchv1.Statistic_STATISTIC_SUM:
			d.Sum = &p.Sum
		case cloudwatchv1.Statistic_STATISTIC_MINIMUM:
			d.Minimum = &p.Min
		case cloudwatchv1.Statistic_STATISTIC_MAXIMUM:
			d.Maximum = &p.Max
		}
	}
	for _, name := range req.GetExtendedStatistics() {
		if v, ok := anyPercentile(p); ok {
			if d.ExtendedStatistics == nil {
				d.ExtendedStatistics = map[string]float64{}
			}
			d.ExtendedStatistics[name] = v
		}
	}
	return d, len(req.GetStatistics()) > 0 || d.ExtendedStatistics != nil
}
