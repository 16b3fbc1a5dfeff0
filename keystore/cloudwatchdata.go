package keystore

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
)

// The most that GetMetricData is asked for at once, and answers.
const (
	maxMetricQueries = 500
	maxMetricValues  = 100_800
)

// queryID is what CloudWatch lets the id of a query be.
var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// GetMetricData answers a statistic of each of several metrics, a page at a time.
func (k *Keystore) GetMetricData(ctx context.Context, req *cloudwatchv1.GetMetricDataRequest) (*cloudwatchv1.GetMetricDataResponse, error) {
	return perform(ctx, k, cloudwatchv1.CloudWatchService_GetMetricData_FullMethodName, req, plan[*cloudwatchv1.GetMetricDataResponse]{
		run: func(context.Context, *proof) (*cloudwatchv1.GetMetricDataResponse, error) {
			if err := k.hasFigures(); err != nil {
				return nil, err
			}
			p, err := k.metricDataPage(req)
			if err != nil {
				return nil, err
			}
			return p.fill(req.GetMetricDataQueries())
		},
	})
}

// metricDataPage is a page of values, which are in the order of their queries.
type metricDataPage struct {
	k      *Keystore
	of     selection
	series map[string]metric.Series
	time   metricTime
	oldest bool // first
	room   int  // for values
	begin  metricDataPlace
	res    *cloudwatchv1.GetMetricDataResponse
}

// metricDataPlace is where a page ended: at a query, of whose values those up to a time
// have been answered; a zero time: none.
type metricDataPlace struct {
	query int
	last  time.Time
}

// metricDataPage checks a request.
func (k *Keystore) metricDataPage(req *cloudwatchv1.GetMetricDataRequest) (*metricDataPage, error) {
	if err := k.checkMetricQueries(req.GetMetricDataQueries()); err != nil {
		return nil, err
	}
	t, err := newMetricTime(badMetricQuery, req.GetStartTime(), req.GetEndTime())
	if err != nil {
		return nil, err
	}
	p := &metricDataPage{
		k: k, of: k.selectionOf(req, "max_datapoints"), series: k.metricSeries(), time: t, room: maxMetricValues,
		oldest: req.GetScanBy() == cloudwatchv1.ScanBy_SCAN_BY_TIMESTAMP_ASCENDING, res: new(cloudwatchv1.GetMetricDataResponse),
	}
	if req.MaxDatapoints != nil {
		if p.room = int(req.GetMaxDatapoints()); p.room < 1 || p.room > maxMetricValues {
			return nil, errorf(badMetricQuery, "The parameter MaxDatapoints must be between 1 and %d.", maxMetricValues)
		}
	}
	if token := req.GetNextToken(); token != "" {
		var ok bool
		if p.begin, ok = p.of.metricDataPlace(token); !ok {
			return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_CLOUD_WATCH_INVALID_NEXT_TOKEN, "The parameter NextToken is not one that was answered to the same queries.")
		}
	}
	return p, nil
}

func (k *Keystore) checkMetricQueries(queries []*cloudwatchv1.MetricDataQuery) error {
	if len(queries) > maxMetricQueries {
		return errorf(badMetricQuery, "The collection MetricDataQueries must not have a size greater than %d.", maxMetricQueries)
	}
	seen := map[string]bool{}
	for i, q := range queries {
		switch id := q.GetId(); {
		case !queryID.MatchString(id):
			return errorf(badMetricQuery, "The value %s for parameter MetricDataQueries.member.%d.Id must begin with a small letter, and have letters, digits and underscores only.", id, i+1)
		case seen[id]:
			return errorf(badMetricQuery, "The value %s for parameter MetricDataQueries.member.%d.Id is that of another query.", id, i+1)
		}
		seen[q.GetId()] = true
		if err := k.checkMetricQuery(q, fmt.Sprintf("MetricDataQueries.member.%d", i+1)); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keystore) checkMetricQuery(q *cloudwatchv1.MetricDataQuery, parameter string) error {
	stat := q.GetMetricStat()
	switch {
	case q.Expression != nil:
		return errorf(badMetricQuery, "The parameter %s.Expression is not supported: there is neither metric math nor Metrics Insights.", parameter)
	case stat == nil:
		return errorf(badMetricQuery, "The parameter %s.MetricStat is required.", parameter)
	case q.AccountId != nil && q.GetAccountId() != k.scope.account:
		return errorf(badMetricQuery, "The parameter %s.AccountId names the account %s, whose metrics are not here.", parameter, q.GetAccountId())
	case metricStatisticOf(stat.GetStat()) == nil:
		return errorf(badMetricQuery, "The value %s for parameter %s.MetricStat.Stat is not supported.", stat.GetStat(), parameter)
	}
	_, err := newMetricPeriod(badMetricQuery, parameter+".MetricStat.Period", stat.GetPeriod())
	return err
}

// fill answers the queries from where the page begins, as long as there is room.
func (p *metricDataPage) fill(queries []*cloudwatchv1.MetricDataQuery) (*cloudwatchv1.GetMetricDataResponse, error) {
	for i := p.begin.query; i < len(queries); i++ {
		if queries[i].ReturnData != nil && !queries[i].GetReturnData() {
			continue
		}
		if p.room == 0 {
			p.end(metricDataPlace{query: i})
			break
		}
		points, err := p.points(queries[i].GetMetricStat())
		if err != nil {
			return nil, err
		}
		if last := p.take(queries[i], p.behind(i, points)); !last.IsZero() {
			p.end(metricDataPlace{i, last})
			break
		}
	}
	return p.res, nil
}

// points are those of a query's periods, in the order of the page.
func (p *metricDataPage) points(stat *cloudwatchv1.MetricStat) ([]metric.Point, error) {
	m := stat.GetMetric()
	s, ok := p.series[askedMetric(m.GetNamespace(), m.GetMetricName(), m.GetDimensions()).Key()]
	if !ok || !p.k.isOfUnit(s, stat.Unit) {
		return nil, nil
	}
	minutes, err := p.k.figures.Points(s, p.time.from, p.time.to)
	if err != nil {
		return nil, fmt.Errorf("reading the metric %s: %w", s.Name, err)
	}
	all := p.time.together(minutes, time.Duration(stat.GetPeriod())*time.Second)
	if !p.oldest {
		slices.Reverse(all)
	}
	return all, nil
}

// behind are the points of a query that no page before had.
func (p *metricDataPage) behind(query int, points []metric.Point) []metric.Point {
	if query != p.begin.query || p.begin.last.IsZero() {
		return points
	}
	return slices.DeleteFunc(points, func(q metric.Point) bool {
		if p.oldest {
			return !q.Time.After(p.begin.last)
		}
		return !q.Time.Before(p.begin.last)
	})
}

// take answers a query with what there is room for, and returns the time of the last
// point if there are more; zero: there are none.
func (p *metricDataPage) take(q *cloudwatchv1.MetricDataQuery, points []metric.Point) (last time.Time) {
	r := &cloudwatchv1.MetricDataResult{
		Id: q.Id, Label: q.Label, StatusCode: cloudwatchv1.StatusCode_STATUS_CODE_COMPLETE.Enum(),
	}
	if r.Label == nil {
		r.Label = q.GetMetricStat().GetMetric().MetricName
	}
	p.res.MetricDataResults = append(p.res.MetricDataResults, r)
	value := metricStatisticOf(q.GetMetricStat().GetStat())
	for i, point := range points {
		if v, ok := value(point); ok {
			r.Timestamps, r.Values = append(r.Timestamps, timestamppb.New(point.Time)), append(r.Values, v)
			p.room--
		} else if r.Messages == nil {
			r.Messages = []*cloudwatchv1.MessageData{{Code: new("Incomplete"), Value: new(saidNoPercentile)}}
		}
		if p.room == 0 && i < len(points)-1 {
			r.StatusCode = cloudwatchv1.StatusCode_STATUS_CODE_PARTIAL_DATA.Enum()
			return point.Time
		}
	}
	return time.Time{}
}

// end lets the next page begin at a place.
func (p *metricDataPage) end(at metricDataPlace) {
	place := strconv.Itoa(at.query) + "/"
	if !at.last.IsZero() {
		place += strconv.FormatInt(at.last.Unix(), 10)
	}
	p.res.NextToken = new(p.of.token(place))
}

// metricDataPlace reads the token of the page that begins at a place.
func (s selection) metricDataPlace(token string) (metricDataPlace, bool) {
	text, ok := s.place(token)
	query, last, _ := strings.Cut(text, "/")
	i, err := strconv.Atoi(query)
	if !ok || err != nil || i < 0 {
		return metricDataPlace{}, false
	}
	if last == "" {
		return metricDataPlace{query: i}, true
	}
	seconds, err := strconv.ParseInt(last, 10, 64)
	return metricDataPlace{i, time.Unix(seconds, 0)}, err == nil
}
