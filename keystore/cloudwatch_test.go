package keystore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
)

// listed are the metrics that the auditor is told, as "name hsm", and how many pages it took.
func (s *service) listed(req *cloudwatchv1.ListMetricsRequest) (all []string, pages int) {
	s.t.Helper()
	for {
		res, err := s.ListMetrics(s.as(auditor), req)
		s.must(err)
		pages++
		for _, m := range res.Metrics {
			line := m.GetMetricName()
			for _, d := range m.Dimensions {
				if d.GetName() == "HsmId" {
					line += " " + d.GetValue()
				}
			}
			all = append(all, line)
		}
		if req.NextToken = res.NextToken; req.NextToken == nil {
			return all, pages
		}
	}
}

func TestListMetrics(t *testing.T) {
	t.Parallel()
	requests := metric.Series{Namespace: metric.Service, Name: "Requests", Unit: "Count"}
	s := startWithFigures(t, newFigures().keep(hsmSeries("HsmSessionCount", "hsm-b"), minutes(1)...).
		keep(hsmSeries("HsmSessionCount", "hsm-a"), minutes(1)...).
		keep(hsmSeries("HsmUnhealthy", "hsm-a"), minutes(0, 0)...).
		keep(requests, minutes(1, 1, 1)...), recentMetrics+2*time.Minute)
	filter := func(name string, value *string) *cloudwatchv1.DimensionFilter {
		return &cloudwatchv1.DimensionFilter{Name: &name, Value: value}
	}
	sessions := []string{"HsmSessionCount hsm-a", "HsmSessionCount hsm-b"}
	for name, test := range map[string]struct {
		req  *cloudwatchv1.ListMetricsRequest
		want []string
	}{
		"all":                    {&cloudwatchv1.ListMetricsRequest{}, append(slices.Clone(sessions), "HsmUnhealthy hsm-a", "Requests")},
		"of a namespace":         {&cloudwatchv1.ListMetricsRequest{Namespace: new("Strongroom")}, []string{"Requests"}},
		"of another namespace":   {&cloudwatchv1.ListMetricsRequest{Namespace: new("AWS/EC2")}, nil},
		"of a name":              {&cloudwatchv1.ListMetricsRequest{MetricName: new("HsmSessionCount")}, sessions},
		"with a dimension":       {&cloudwatchv1.ListMetricsRequest{Dimensions: []*cloudwatchv1.DimensionFilter{filter("HsmId", nil)}}, append(slices.Clone(sessions), "HsmUnhealthy hsm-a")},
		"of an HSM":              {&cloudwatchv1.ListMetricsRequest{Dimensions: []*cloudwatchv1.DimensionFilter{filter("HsmId", new("hsm-b"))}}, []string{"HsmSessionCount hsm-b"}},
		"with both":              {&cloudwatchv1.ListMetricsRequest{Dimensions: []*cloudwatchv1.DimensionFilter{filter("Region", nil), filter("HsmId", new("hsm-b"))}}, []string{"HsmSessionCount hsm-b"}},
		"with one that none has": {&cloudwatchv1.ListMetricsRequest{Dimensions: []*cloudwatchv1.DimensionFilter{filter("Region", nil), filter("InstanceId", nil)}}, nil},
		"of the last hours":      {&cloudwatchv1.ListMetricsRequest{RecentlyActive: cloudwatchv1.RecentlyActive_RECENTLY_ACTIVE_PT3H.Enum()}, []string{"Requests"}},
		"of this account":        {&cloudwatchv1.ListMetricsRequest{OwningAccount: new("000000000000"), MetricName: new("Requests")}, []string{"Requests"}},
		"of another account":     {&cloudwatchv1.ListMetricsRequest{OwningAccount: new("111111111111")}, nil},
	} {
		if got, _ := s.listed(test.req); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	res, err := s.ListMetrics(s.as(auditor), &cloudwatchv1.ListMetricsRequest{MetricName: new("HsmSessionCount"), IncludeLinkedAccounts: new(true)})
	s.must(err)
	if want := []string{"000000000000", "000000000000"}; !slices.Equal(res.OwningAccounts, want) {
		t.Errorf("they are of %q, want %q", res.OwningAccounts, want)
	}
	if e := s.lastEvent(); e.EventName != "ListMetrics" || e.RequestParameters["metricName"] != "HsmSessionCount" || !e.ReadOnly {
		t.Errorf("the last event is %+v", e)
	}
}

func TestListMetricsInPages(t *testing.T) {
	t.Parallel()
	f := newFigures()
	for i := range 2*maxMetrics + 1 {
		f.keep(hsmSeries("HsmUnhealthy", fmt.Sprintf("hsm-%04d", i)), minutes(0)...)
	}
	s := startWithFigures(t, f, 0)
	all, pages := s.listed(&cloudwatchv1.ListMetricsRequest{Namespace: new(metric.CloudHSM)})
	if pages != 3 || len(all) != 2*maxMetrics+1 || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("%d pages of %d metrics", pages, len(all))
	}
	res, err := s.ListMetrics(s.as(auditor), &cloudwatchv1.ListMetricsRequest{})
	s.must(err)
	_, err = s.ListMetrics(s.as(auditor), &cloudwatchv1.ListMetricsRequest{Namespace: new(metric.CloudHSM), NextToken: res.NextToken})
	expectKind(t, err, badMetricValue, "NextToken")
}

// shownStatistics is an answer in words, a datapoint a line.
func shownStatistics(res *cloudwatchv1.GetMetricStatisticsResponse) (lines []string) {
	for _, d := range res.GetDatapoints() {
		line := d.GetTimestamp().AsTime().Format("15:04")
		for _, v := range []struct {
			name  string
			value *float64
		}{{"count", d.SampleCount}, {"average", d.Average}, {"sum", d.Sum}, {"min", d.Minimum}, {"max", d.Maximum}} {
			if v.value != nil {
				line += fmt.Sprintf(" %s=%v", v.name, *v.value)
			}
		}
		for _, name := range []string{"p50", "p99"} {
			if v, ok := d.GetExtendedStatistics()[name]; ok {
				line += fmt.Sprintf(" %s=%v", name, v)
			}
		}
		lines = append(lines, line+" "+describe.WireName(d.GetUnit()))
	}
	return lines
}

// statisticsRequest asks for the average of two minutes.
func statisticsRequest(change ...func(*cloudwatchv1.GetMetricStatisticsRequest)) *cloudwatchv1.GetMetricStatisticsRequest {
	req := &cloudwatchv1.GetMetricStatisticsRequest{
		Namespace: new(metric.CloudHSM), MetricName: new("HsmSessionCount"), Dimensions: dimensionsOf("hsm-a"),
		StartTime: at(0), EndTime: at(2 * time.Minute), Period: new(int32(60)),
		Statistics: []cloudwatchv1.Statistic{cloudwatchv1.Statistic_STATISTIC_AVERAGE},
	}
	for _, c := range change {
		c(req)
	}
	return req
}

type statisticsChange = func(*cloudwatchv1.GetMetricStatisticsRequest)

// percentiles asks for some in place of statistics.
func percentiles(names ...string) statisticsChange {
	return func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Statistics, r.ExtendedStatistics = nil, names }
}

func TestGetMetricStatistics(t *testing.T) {
	t.Parallel()
	steady := metric.Point{Time: noon.Add(3 * time.Minute), Min: 7, Max: 7, Sum: 21, Samples: 3}
	s := startWithFigures(t, newFigures().keep(hsmSeries("HsmSessionCount", "hsm-a"), append(minutes(1, 2, 3), steady)...).
		keep(hsmSeries("HsmSessionCount", "hsm-b"), minutes(9)...), time.Hour)
	every := []cloudwatchv1.Statistic{1, 2, 3, 4, 5}
	for name, test := range map[string]struct {
		change statisticsChange
		want   []string
	}{
		"the average": {func(*cloudwatchv1.GetMetricStatisticsRequest) {}, []string{"12:00 average=1.5 Count", "12:01 average=3 Count"}},
		"all of both minutes": {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Statistics, r.Period = every, new(int32(120)) },
			[]string{"12:00 count=4 average=2.25 sum=9 min=1 max=4 Count"}},
		"of its unit": {func(r *cloudwatchv1.GetMetricStatisticsRequest) {
			r.Unit = cloudwatchv1.StandardUnit_STANDARD_UNIT_COUNT.Enum()
		}, []string{"12:00 average=1.5 Count", "12:01 average=3 Count"}},
		"of another unit": {func(r *cloudwatchv1.GetMetricStatisticsRequest) {
			r.Unit = cloudwatchv1.StandardUnit_STANDARD_UNIT_BYTES.Enum()
		}, nil},
		"of another HSM":        {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Dimensions = dimensionsOf("hsm-b") }, []string{"12:00 average=13.5 Count"}},
		"of too few dimensions": {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Dimensions = r.Dimensions[1:] }, nil},
		"of no metric":          {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.MetricName = new("CPUUtilization") }, nil},
		"of another time": {func(r *cloudwatchv1.GetMetricStatisticsRequest) {
			r.StartTime, r.EndTime = at(time.Hour), at(2*time.Hour)
		}, nil},
		"percentiles of a steady minute": {func(r *cloudwatchv1.GetMetricStatisticsRequest) {
			percentiles("p50", "p99")(r)
			r.EndTime = at(4 * time.Minute)
		}, []string{"12:03 p50=7 p99=7 Count"}},
		"1440 periods": {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.EndTime = at(24 * time.Hour) },
			[]string{"12:00 average=1.5 Count", "12:01 average=3 Count", "12:02 average=4.5 Count", "12:03 average=7 Count"}},
	} {
		res, err := s.GetMetricStatistics(s.as(auditor), statisticsRequest(test.change))
		if got := shownStatistics(res); err != nil || !slices.Equal(got, test.want) || res.GetLabel() == "" {
			t.Errorf("%s: %q labelled %q, %v; want %q", name, got, res.GetLabel(), err, test.want)
		}
	}
}

func TestGetMetricStatisticsRefuses(t *testing.T) {
	t.Parallel()
	s := startWithFigures(t, newFigures().keep(hsmSeries("HsmSessionCount", "hsm-a"), minutes(1, 2)...), time.Hour)
	for name, test := range map[string]struct {
		change statisticsChange
		kind   Kind
		words  string
	}{
		"no time":       {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.EndTime = r.StartTime }, badMetricValue, "The parameter StartTime must not equal parameter EndTime."},
		"time reversed": {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.EndTime = at(-time.Minute) }, badMetricValue, "The parameter StartTime must be less than the parameter EndTime."},
		"half a minute": {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Period = new(int32(30)) }, badMetricValue, "The parameter Period must be a multiple of 60."},
		"90 seconds":    {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Period = new(int32(90)) }, badMetricValue, "The parameter Period must be a multiple of 60."},
		"no period":     {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Period = new(int32(0)) }, badMetricValue, "The parameter Period must be a multiple of 60."},
		"too many": {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.EndTime = at(24*time.Hour + time.Second) }, badMetricCombination,
			"You have requested up to 1441 datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range."},
		"millennia": {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.StartTime.Seconds = -62135596800 }, badMetricCombination, "which exceeds the limit of 1440"},
		"no statistic": {percentiles(), annotationsv1.ErrorKind_ERROR_KIND_MISSING_REQUIRED_PARAMETER,
			"At least one of the parameters Statistics and ExtendedStatistics must be specified."},
		"both":                               {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.ExtendedStatistics = []string{"p50"} }, badMetricCombination, "must not both be specified"},
		"a percentile of values that differ": {percentiles("p50"), badMetricCombination, "Percentiles can only be told of periods whose values are all the same"},
		"another statistic":                  {percentiles("p50", "tm90"), badMetricValue, "The value tm90 for parameter ExtendedStatistics.member.2 is not supported."},
		"no namespace":                       {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Namespace = nil }, badMetricQuery, "Value null at 'namespace' failed to satisfy constraint: Member must not be null"},
		"six statistics":                     {func(r *cloudwatchv1.GetMetricStatisticsRequest) { r.Statistics = make([]cloudwatchv1.Statistic, 6) }, badMetricQuery, "Member must have length less than or equal to 5"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.GetMetricStatistics(s.as(auditor), statisticsRequest(test.change))
			expectKind(t, err, test.kind, test.words)
		})
	}
}

// Metrics are for operators, and where none are kept the answer says so.
func TestMetricsAreRefused(t *testing.T) {
	t.Parallel()
	s := startService(t)
	query := &cloudwatchv1.GetMetricDataRequest{MetricDataQueries: []*cloudwatchv1.MetricDataQuery{averageOf("a", "hsm-a", 60)}, StartTime: at(0), EndTime: at(time.Hour)}
	for name, call := range map[string]func(principal string) error{
		"ListMetrics":         func(p string) error { _, err := s.ListMetrics(s.as(p), &cloudwatchv1.ListMetricsRequest{}); return err },
		"GetMetricStatistics": func(p string) error { _, err := s.GetMetricStatistics(s.as(p), statisticsRequest()); return err },
		"GetMetricData":       func(p string) error { _, err := s.GetMetricData(s.as(p), query); return err },
	} {
		expectKind(t, call(app), annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, "is not authorized to perform: cloudwatch:"+name+" on resource: *")
		expectKind(t, call(auditor), annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "This server keeps no metrics.")
	}
}
