package keystore

import (
	"context"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
)

// maxMetrics is how many metrics a page of ListMetrics has at most; recentMetrics is what
// PT3H means.
const (
	maxMetrics    = 500
	recentMetrics = 3 * time.Hour
)

// ListMetrics answers which metrics are kept. HSMs serve all Regions, so that each
// answers the same.
func (k *Keystore) ListMetrics(ctx context.Context, req *cloudwatchv1.ListMetricsRequest) (*cloudwatchv1.ListMetricsResponse, error) {
	return perform(ctx, k, cloudwatchv1.CloudWatchService_ListMetrics_FullMethodName, req, plan[*cloudwatchv1.ListMetricsResponse]{
		run: func(context.Context, *proof) (*cloudwatchv1.ListMetricsResponse, error) {
			if err := k.hasFigures(); err != nil {
				return nil, err
			}
			of, behind := k.selectionOf(req), ""
			if token := req.GetNextToken(); token != "" {
				var ok bool
				if behind, ok = of.place(token); !ok {
					return nil, errorf(badMetricValue, "The parameter NextToken is not one that was answered to the same choice of metrics.")
				}
			}
			page, more := pageBehind(k.chooseMetrics(req), metric.Series.Key, behind, maxMetrics)
			res := k.describeMetrics(page, req.GetIncludeLinkedAccounts())
			if more {
				res.NextToken = new(of.token(page[len(page)-1].Key()))
			}
			return res, nil
		},
	})
}

// chooseMetrics are the metrics that a request asks for, in order.
func (k *Keystore) chooseMetrics(req *cloudwatchv1.ListMetricsRequest) []metric.Series {
	if req.OwningAccount != nil && req.GetOwningAccount() != k.scope.account {
		return nil
	}
	var since time.Time
	if req.RecentlyActive != nil {
		since = k.now().Add(-recentMetrics)
	}
	return slices.DeleteFunc(slices.Clone(k.figures.Series(since)), func(s metric.Series) bool { return !isAskedFor(req, s) })
}

func isAskedFor(req *cloudwatchv1.ListMetricsRequest, s metric.Series) bool {
	if req.Namespace != nil && req.GetNamespace() != s.Namespace || req.MetricName != nil && req.GetMetricName() != s.Name {
		return false
	}
	for _, f := range req.GetDimensions() {
		has := func(d metric.Dimension) bool {
			return d.Name == f.GetName() && (f.Value == nil || d.Value == f.GetValue())
		}
		if !slices.ContainsFunc(s.Dimensions, has) {
			return false
		}
	}
	return true
}

// describeMetrics describes metrics, and says whose they are if that is asked for.
func (k *Keystore) describeMetrics(page []metric.Series, owners bool) *cloudwatchv1.ListMetricsResponse {
	res := new(cloudwatchv1.ListMetricsResponse)
	for _, s := range page {
		m := &cloudwatchv1.Metric{Namespace: &s.Namespace, MetricName: &s.Name}
		for _, d := range s.Dimensions {
			m.Dimensions = append(m.Dimensions, &cloudwatchv1.Dimension{Name: &d.Name, Value: &d.Value})
		}
		res.Metrics = append(res.Metrics, m)
		if owners {
			res.OwningAccounts = append(res.OwningAccounts, k.scope.account)
		}
	}
	return res
}
