package keystore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
)

// averageOf asks for the average of an HSM's sessions.
func averageOf(id, hsm string, period int32) *cloudwatchv1.MetricDataQuery {
	return &cloudwatchv1.MetricDataQuery{Id: &id, MetricStat: &cloudwatchv1.MetricStat{
		Metric: &cloudwatchv1.Metric{Namespace: new(metric.CloudHSM), MetricName: new("HsmSessionCount"), Dimensions: dimensionsOf(hsm)},
		Period: &period, Stat: new("Average"),
	}}
}

// shownData is an answer in words, a result a line.
func shownData(res *cloudwatchv1.GetMetricDataResponse) (lines []string) {
	for _, r := range res.GetMetricDataResults() {
		line := fmt.Sprintf("%s %s %s:", r.GetId(), r.GetLabel(), describe.WireName(r.GetStatusCode()))
		for i, v := range r.GetValues() {
			line += fmt.Sprintf(" %s=%v", r.GetTimestamps()[i].AsTime().Format("15:04"), v)
		}
		for _, m := range r.GetMessages() {
			line += " (" + m.GetCode() + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestGetMetricData(t *testing.T) {
	t.Parallel()
	s := startWithFigures(t, newFigures().keep(hsmSeries("HsmSessionCount", "hsm-a"), minutes(1, 2, 3)...).
		keep(hsmSeries("HsmSessionCount", "hsm-b"), append(minutes(4), metric.Point{Time: noon.Add(time.Minute), Min: 5, Max: 5, Sum: 5, Samples: 1})...), time.Hour)
	query := func(change func(*cloudwatchv1.MetricDataQuery), hsm string, period int32) *cloudwatchv1.MetricDataQuery {
		q := averageOf("q", hsm, period)
		change(q)
		return q
	}
	stat := func(name string) func(*cloudwatchv1.MetricDataQuery) {
		return func(q *cloudwatchv1.MetricDataQuery) { q.MetricStat.Stat = &name }
	}
	ascending := cloudwatchv1.ScanBy_SCAN_BY_TIMESTAMP_ASCENDING.Enum()
	for name, test := range map[string]struct {
		order   *cloudwatchv1.ScanBy
		queries []*cloudwatchv1.MetricDataQuery
		want    []string
	}{
		"two, the newest first": {nil, []*cloudwatchv1.MetricDataQuery{averageOf("b", "hsm-b", 60), averageOf("a", "hsm-a", 120)},
			[]string{"b HsmSessionCount Complete: 12:01=5 12:00=6", "a HsmSessionCount Complete: 12:02=4.5 12:00=2.25"}},
		"the oldest first": {ascending, []*cloudwatchv1.MetricDataQuery{averageOf("a", "hsm-a", 60)}, []string{"a HsmSessionCount Complete: 12:00=1.5 12:01=3 12:02=4.5"}},
		"with a label":     {ascending, []*cloudwatchv1.MetricDataQuery{query(func(q *cloudwatchv1.MetricDataQuery) { q.Label = new("mine") }, "hsm-a", 3600)}, []string{"q mine Complete: 12:00=3"}},
		"not returned": {ascending, []*cloudwatchv1.MetricDataQuery{query(func(q *cloudwatchv1.MetricDataQuery) { q.ReturnData = new(false) }, "hsm-a", 60), averageOf("b", "hsm-b", 120)},
			[]string{"b HsmSessionCount Complete: 12:00=5.666666666666667"}},
		"returned":     {ascending, []*cloudwatchv1.MetricDataQuery{query(func(q *cloudwatchv1.MetricDataQuery) { q.ReturnData = new(true) }, "hsm-b", 120)}, []string{"q HsmSessionCount Complete: 12:00=5.666666666666667"}},
		"of no metric": {nil, []*cloudwatchv1.MetricDataQuery{averageOf("c", "hsm-c", 60)}, []string{"c HsmSessionCount Complete:"}},
		"of a unit": {nil, []*cloudwatchv1.MetricDataQuery{query(func(q *cloudwatchv1.MetricDataQuery) {
			q.MetricStat.Unit = cloudwatchv1.StandardUnit_STANDARD_UNIT_PERCENT.Enum()
		}, "hsm-a", 60)}, []string{"q HsmSessionCount Complete:"}},
		"of an account": {nil, []*cloudwatchv1.MetricDataQuery{query(func(q *cloudwatchv1.MetricDataQuery) { q.AccountId = new("000000000000") }, "hsm-a", 3600)}, []string{"q HsmSessionCount Complete: 12:00=3"}},
		"the count":     {nil, []*cloudwatchv1.MetricDataQuery{query(stat("SampleCount"), "hsm-b", 120)}, []string{"q HsmSessionCount Complete: 12:00=3"}},
		"a percentile that is told once": {nil, []*cloudwatchv1.MetricDataQuery{query(stat("p99"), "hsm-b", 60)},
			[]string{"q HsmSessionCount Complete: 12:01=5 (Incomplete)"}},
	} {
		res, err := s.GetMetricData(s.as(auditor), &cloudwatchv1.GetMetricDataRequest{
			MetricDataQueries: test.queries, StartTime: at(0), EndTime: at(time.Hour), ScanBy: test.order,
		})
		if got := shownData(res); err != nil || !slices.Equal(got, test.want) || res.NextToken != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}

// Whatever the size of the pages, they have all values once, in order.
func TestGetMetricDataInPages(t *testing.T) {
	t.Parallel()
	s := startWithFigures(t, newFigures().keep(hsmSeries("HsmSessionCount", "hsm-a"), minutes(1, 2, 3, 4)...).
		keep(hsmSeries("HsmSessionCount", "hsm-b"), minutes(5, 6)...), time.Hour)
	hidden := averageOf("h", "hsm-a", 60)
	hidden.ReturnData = new(false)
	for _, order := range []*cloudwatchv1.ScanBy{nil, cloudwatchv1.ScanBy_SCAN_BY_TIMESTAMP_ASCENDING.Enum()} {
		req := &cloudwatchv1.GetMetricDataRequest{
			MetricDataQueries: []*cloudwatchv1.MetricDataQuery{hidden, averageOf("a", "hsm-a", 60), averageOf("none", "hsm-c", 60), averageOf("b", "hsm-b", 60)},
			StartTime:         at(0), EndTime: at(time.Hour), ScanBy: order,
		}
		want, _ := s.dataInPages(proto.CloneOf(req), maxMetricValues)
		if len(want) != 6 {
			t.Fatalf("at once there are %q", want)
		}
		for room := int32(1); room <= 7; room++ {
			got, pages := s.dataInPages(proto.CloneOf(req), room)
			if !slices.Equal(got, want) || pages != max(1, (6+int(room)-1)/int(room)) {
				t.Errorf("%d at a time: %d pages, %q, want %q", room, pages, got, want)
			}
		}
	}
}

// dataInPages are the values that a request is answered, so many at a time.
func (s *service) dataInPages(req *cloudwatchv1.GetMetricDataRequest, room int32) (all []string, pages int) {
	s.t.Helper()
	for req.MaxDatapoints = &room; ; pages++ {
		res, err := s.GetMetricData(s.as(auditor), req)
		s.must(err)
		n := 0
		for i, r := range res.MetricDataResults {
			for j, v := range r.Values {
				all = append(all, fmt.Sprintf("%s %s %v", r.GetId(), r.GetTimestamps()[j].AsTime().Format("15:04"), v))
			}
			n += len(r.Values)
			if last := i == len(res.MetricDataResults)-1; r.GetStatusCode() != cloudwatchv1.StatusCode_STATUS_CODE_COMPLETE && (!last || res.NextToken == nil) {
				s.t.Errorf("%s is %v", r.GetId(), r.GetStatusCode())
			}
		}
		if n > int(room) {
			s.t.Errorf("a page has %d values", n)
		}
		if req.NextToken = res.NextToken; req.NextToken == nil {
			return all, pages + 1
		}
	}
}

func TestGetMetricDataRefuses(t *testing.T) {
	t.Parallel()
	s := startWithFigures(t, newFigures().keep(hsmSeries("HsmSessionCount", "hsm-a"), minutes(1, 2)...), time.Hour)
	type change = func(*cloudwatchv1.GetMetricDataRequest)
	inQuery := func(c func(*cloudwatchv1.MetricDataQuery)) change {
		return func(r *cloudwatchv1.GetMetricDataRequest) { c(r.MetricDataQueries[1]) }
	}
	for name, test := range map[string]struct {
		change change
		kind   Kind
		words  string
	}{
		"no time":      {func(r *cloudwatchv1.GetMetricDataRequest) { r.EndTime = r.StartTime }, badMetricQuery, "The parameter StartTime must not equal parameter EndTime."},
		"math":         {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.Expression, q.MetricStat = new("a * 2"), nil }), badMetricQuery, "MetricDataQueries.member.2.Expression is not supported: there is neither metric math nor Metrics Insights."},
		"nothing":      {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.MetricStat = nil }), badMetricQuery, "The parameter MetricDataQueries.member.2.MetricStat is required."},
		"Min":          {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.MetricStat.Stat = new("Min") }), badMetricQuery, "The value Min for parameter MetricDataQueries.member.2.MetricStat.Stat is not supported."},
		"ten seconds":  {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.MetricStat.Period = new(int32(10)) }), badMetricQuery, "The parameter MetricDataQueries.member.2.MetricStat.Period must be a multiple of 60."},
		"twice the id": {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.Id = new("a") }), badMetricQuery, "The value a for parameter MetricDataQueries.member.2.Id is that of another query."},
		"an odd id":    {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.Id = new("Q") }), badMetricQuery, "The value Q for parameter MetricDataQueries.member.2.Id must begin with a small letter"},
		"an account":   {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.AccountId = new("111111111111") }), badMetricQuery, "names the account 111111111111, whose metrics are not here."},
		"501 queries": {func(r *cloudwatchv1.GetMetricDataRequest) {
			r.MetricDataQueries = slices.Repeat(r.MetricDataQueries[:1], 501)
		}, badMetricQuery, "must not have a size greater than 500"},
		"no values":      {func(r *cloudwatchv1.GetMetricDataRequest) { r.MaxDatapoints = new(int32(0)) }, badMetricQuery, "The parameter MaxDatapoints must be between 1 and 100800."},
		"too many":       {func(r *cloudwatchv1.GetMetricDataRequest) { r.MaxDatapoints = new(int32(100_801)) }, badMetricQuery, "The parameter MaxDatapoints must be between 1 and 100800."},
		"no such token":  {func(r *cloudwatchv1.GetMetricDataRequest) { r.NextToken = new("x") }, annotationsv1.ErrorKind_ERROR_KIND_CLOUD_WATCH_INVALID_NEXT_TOKEN, "NextToken"},
		"without an end": {func(r *cloudwatchv1.GetMetricDataRequest) { r.EndTime = nil }, badMetricQuery, "Value null at 'endTime'"},
		"a path":         {inQuery(func(q *cloudwatchv1.MetricDataQuery) { q.MetricStat.Stat = nil }), badMetricQuery, "at 'metricDataQueries.2.member.metricStat.stat' failed"},
	} {
		t.Run(name, func(t *testing.T) {
			req := &cloudwatchv1.GetMetricDataRequest{
				MetricDataQueries: []*cloudwatchv1.MetricDataQuery{averageOf("a", "hsm-a", 60), averageOf("b", "hsm-a", 60)}, StartTime: at(0), EndTime: at(time.Hour),
			}
			test.change(req)
			_, err := s.GetMetricData(s.as(auditor), req)
			expectKind(t, err, test.kind, test.words)
		})
	}
	for _, place := range []string{"", "x/", "-1/", "1/x", strings.Repeat("9", 30) + "/"} {
		if _, ok := selection(7).metricDataPlace(selection(7).token(place)); ok {
			t.Errorf("%q is a place", cmp.Or(place, "nothing"))
		}
	}
}
