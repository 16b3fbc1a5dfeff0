package keystore

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// StreamMetrics streams the history of metrics, and then samples.
func (o *operator) StreamMetrics(req *operatorv1.StreamMetricsRequest, stream grpc.ServerStreamingServer[operatorv1.StreamMetricsResponse]) error {
	ctx, method := stream.Context(), operatorv1.OperatorService_StreamMetrics_FullMethodName
	if err := o.admitIf(ctx, method, req, o.k.hasFigures); err != nil {
		return err
	}
	answers := o.k.metricHistory(time.Duration(req.GetHistorySeconds()) * time.Second)
	if req.GetFollow() {
		answers = chain(answers, o.k.metricSamples(ctx))
	}
	return sendAll(ctx, whileAllowed(ctx, o.k, method, req, answers), stream,
		func(r *operatorv1.StreamMetricsResponse) *operatorv1.StreamMetricsResponse { return r })
}

func (k *Keystore) hasFigures() error {
	if k.figures == nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION, "This server keeps no metrics.")
	}
	return nil
}

// metricHistory yields the points of each series in the time up to now.
func (k *Keystore) metricHistory(length time.Duration) iter.Seq2[*operatorv1.StreamMetricsResponse, error] {
	return func(yield func(*operatorv1.StreamMetricsResponse, error) bool) {
		if length == 0 {
			return
		}
		now := k.now()
		for _, s := range k.figures.Series(now.Add(-length)) {
			points, err := k.figures.Points(s, now.Add(-length), now)
			h := &operatorv1.MetricHistory{Series: describeSeries(s)}
			for _, p := range points {
				h.Points = append(h.Points, &operatorv1.MetricPoint{
					Time: timestamppb.New(p.Time), Minimum: &p.Min, Maximum: &p.Max, Sum: &p.Sum, Samples: &p.Samples,
				})
			}
			if !yield(&operatorv1.StreamMetricsResponse{History: h}, err) {
				return
			}
		}
	}
}

func (k *Keystore) metricSamples(ctx context.Context) iter.Seq2[*operatorv1.StreamMetricsResponse, error] {
	return func(yield func(*operatorv1.StreamMetricsResponse, error) bool) {
		for s := range k.figures.Samples(ctx) {
			m := &operatorv1.MetricSample{Time: timestamppb.New(s.Time)}
			for _, v := range s.Values {
				m.Values = append(m.Values, &operatorv1.MetricValue{Series: describeSeries(v.Series), Value: &v.Value})
			}
			if !yield(&operatorv1.StreamMetricsResponse{Sample: m}, nil) {
				return
			}
		}
	}
}

func chain[T any](sequences ...iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, s := range sequences {
			for v, err := range s {
				if !yield(v, err) {
					return
				}
			}
		}
	}
}

func describeSeries(s metric.Series) *operatorv1.MetricSeries {
	d := &operatorv1.MetricSeries{Namespace: &s.Namespace, Name: &s.Name, Unit: &s.Unit}
	for _, dimension := range s.Dimensions {
		d.Dimensions = append(d.Dimensions, &operatorv1.MetricDimension{Name: &dimension.Name, Value: &dimension.Value})
	}
	return d
}

// DescribeAlarms answers what operators are told of.
func (o *operator) DescribeAlarms(ctx context.Context, req *operatorv1.DescribeAlarmsRequest) (*operatorv1.DescribeAlarmsResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_DescribeAlarms_FullMethodName, req, plan[*operatorv1.DescribeAlarmsResponse]{
		run: func(context.Context, *proof) (*operatorv1.DescribeAlarmsResponse, error) {
			res := new(operatorv1.DescribeAlarmsResponse)
			if o.k.alarms == nil {
				return res, nil
			}
			for _, a := range o.k.alarms.List() {
				res.Alarms = append(res.Alarms, describeAlarm(a))
			}
			return res, nil
		},
	})
}

func describeAlarm(a Alarm) *operatorv1.AlarmDescription {
	d := &operatorv1.AlarmDescription{
		Name: &a.Name, Severity: &a.Severity, Summary: &a.Summary, Action: &a.Action, Condition: &a.Condition,
		State: operatorv1.AlarmState(a.State).Enum(), Since: moment(a.Since),
	}
	for _, s := range a.Subjects {
		subject := &operatorv1.AlarmSubject{Value: &s.Value, State: operatorv1.AlarmState(s.State).Enum(), Since: moment(s.Since)}
		for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
			subject.Labels = append(subject.Labels, &operatorv1.MetricDimension{Name: &name, Value: new(s.Labels[name])})
		}
		d.Subjects = append(d.Subjects, subject)
	}
	return d
}

// CreateConsoleLink makes an address that signs the caller in to the console.
func (o *operator) CreateConsoleLink(ctx context.Context, req *operatorv1.CreateConsoleLinkRequest) (*operatorv1.CreateConsoleLinkResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_CreateConsoleLink_FullMethodName, req, plan[*operatorv1.CreateConsoleLinkResponse]{
		run: func(ctx context.Context, _ *proof) (*operatorv1.CreateConsoleLinkResponse, error) {
			if o.k.links == nil {
				return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION,
					"This server has no console: see console.enabled in docs/configuration.md.")
			}
			caller, _ := CallerFrom(ctx)
			url, expires, err := o.k.links.Link(caller.Principal)
			if err != nil {
				return nil, err
			}
			return &operatorv1.CreateConsoleLinkResponse{Url: &url, Expires: timestamppb.New(expires)}, nil
		},
	})
}
