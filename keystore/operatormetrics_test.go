package keystore

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// streamed is what the auditor is sent.
func (s *service) streamed(req *operatorv1.StreamMetricsRequest) []*operatorv1.StreamMetricsResponse {
	s.t.Helper()
	r := &received[operatorv1.StreamMetricsResponse]{ctx: s.as(auditor)}
	s.must(s.Operator().StreamMetrics(req, r))
	return r.all
}

func TestStreamMetrics(t *testing.T) {
	t.Parallel()
	requests := metric.Series{Namespace: metric.Service, Name: "Requests", Unit: "Count"}
	f := newFigures().keep(requests, minutes(1, 2, 3)...).keep(hsmSeries("HsmUnhealthy", "hsm-a"), minutes(0)...)
	f.samples = []metric.Sample{
		{Time: noon.Add(125 * time.Second), Values: []metric.Value{{Series: requests, Value: 3}}},
		{Time: noon.Add(130 * time.Second), Values: []metric.Value{{Series: requests, Value: 6}}},
	}
	s := startWithFigures(t, f, 150*time.Second)
	series := &operatorv1.MetricSeries{Namespace: new("Strongroom"), Name: new("Requests"), Unit: new("Count")}
	point := func(after time.Duration, least float64) *operatorv1.MetricPoint {
		return &operatorv1.MetricPoint{Time: at(after), Minimum: &least, Maximum: new(2 * least), Sum: new(3 * least), Samples: new(uint32(2))}
	}
	history := &operatorv1.StreamMetricsResponse{History: &operatorv1.MetricHistory{Series: series, Points: []*operatorv1.MetricPoint{point(time.Minute, 2), point(2*time.Minute, 3)}}}
	sample := func(after time.Duration, v float64) *operatorv1.StreamMetricsResponse {
		return &operatorv1.StreamMetricsResponse{Sample: &operatorv1.MetricSample{Time: at(after), Values: []*operatorv1.MetricValue{{Series: series, Value: &v}}}}
	}
	for name, test := range map[string]struct {
		req  *operatorv1.StreamMetricsRequest
		want []*operatorv1.StreamMetricsResponse
	}{
		"nothing":         {&operatorv1.StreamMetricsRequest{}, nil},
		"the history":     {&operatorv1.StreamMetricsRequest{HistorySeconds: new(int32(100))}, []*operatorv1.StreamMetricsResponse{history}},
		"samples":         {&operatorv1.StreamMetricsRequest{Follow: new(true)}, []*operatorv1.StreamMetricsResponse{sample(125*time.Second, 3), sample(130*time.Second, 6)}},
		"one, then other": {&operatorv1.StreamMetricsRequest{HistorySeconds: new(int32(100)), Follow: new(true)}, []*operatorv1.StreamMetricsResponse{history, sample(125*time.Second, 3), sample(130*time.Second, 6)}},
	} {
		if diff := cmp.Diff(test.want, s.streamed(test.req), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	all := s.streamed(&operatorv1.StreamMetricsRequest{HistorySeconds: new(int32(3600))})
	if len(all) != 2 || len(all[0].GetHistory().GetSeries().GetDimensions()) != 3 || len(all[1].GetHistory().GetPoints()) != 3 {
		t.Errorf("the history of an hour is %v", all)
	}
	if e := s.lastEvent(); e.EventName != "StreamMetrics" || e.RequestParameters["historySeconds"] != float64(3600) {
		t.Errorf("the last event is %+v", e)
	}
}

// A stream ends when its reader may not read any more.
func TestStreamMetricsEndsWithThePermission(t *testing.T) {
	t.Parallel()
	f := newFigures()
	f.samples = []metric.Sample{{Time: noon}, {Time: noon}, {Time: noon}}
	s := startWithFigures(t, f, 0)
	const watcher = "arn:aws:iam::000000000000:user/watcher"
	_, err := s.Operator().PutPrincipal(s.as(admin), &operatorv1.PutPrincipalRequest{Arn: new(watcher), Policies: []string{"auditor"}})
	s.must(err)
	r := &received[operatorv1.StreamMetricsResponse]{ctx: s.as(watcher)}
	r.next = func() {
		if len(r.all) == 2 {
			_, err := s.Operator().DeletePrincipal(s.as(admin), &operatorv1.DeletePrincipalRequest{Arn: new(watcher)})
			s.must(err)
		}
	}
	err = s.Operator().StreamMetrics(&operatorv1.StreamMetricsRequest{Follow: new(true)}, r)
	if err == nil || len(r.all) != 2 {
		t.Errorf("it ends after %d samples with %v", len(r.all), err)
	}
}

// quiet are alarms that do not change.
type quiet []Alarm

func (q quiet) List() []Alarm { return q }

func TestDescribeAlarms(t *testing.T) {
	t.Parallel()
	s := startService(t)
	if res, err := s.Operator().DescribeAlarms(s.as(auditor), &operatorv1.DescribeAlarmsRequest{}); err != nil || len(res.Alarms) != 0 {
		t.Errorf("without any: %v, %v", res, err)
	}
	s.alarms = quiet{
		{Name: "HsmUnhealthy", Severity: "critical", Summary: "An HSM is down.", Action: "Look.", Condition: "x == 1", State: AlarmFiring, Since: noon,
			Subjects: []AlarmSubject{{Labels: map[string]string{"region": "r", "hsm_id": "hsm-a"}, Value: 1, State: AlarmFiring, Since: noon.Add(-time.Minute)}}},
		{Name: "JournalLag", Severity: "warning", State: AlarmOK},
	}
	res, err := s.Operator().DescribeAlarms(s.as(auditor), &operatorv1.DescribeAlarmsRequest{})
	s.must(err)
	want := new(operatorv1.DescribeAlarmsResponse)
	s.must(prototext.Unmarshal([]byte(`
		alarms {
			name: "HsmUnhealthy" severity: "critical" summary: "An HSM is down." action: "Look." condition: "x == 1"
			state: ALARM_STATE_FIRING since { seconds: 1795435200 }
			subjects {
				labels { name: "hsm_id" value: "hsm-a" } labels { name: "region" value: "r" }
				value: 1 state: ALARM_STATE_FIRING since { seconds: 1795435140 }
			}
		}
		alarms { name: "JournalLag" severity: "warning" summary: "" action: "" condition: "" state: ALARM_STATE_OK }`), want))
	if !proto.Equal(res, want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, res, protocmp.Transform()))
	}
	if e := s.lastEvent(); e.EventName != "DescribeAlarms" || !e.ReadOnly {
		t.Errorf("the last event is %+v", e)
	}
}

// theLinks make one link, or none.
type theLinks struct {
	err error
	of  []string
}

const consoleLink = "http://127.0.0.1:7402/sign-in/hunter2"

func (l *theLinks) Link(principal string) (string, time.Time, error) {
	l.of = append(l.of, principal)
	return consoleLink, noon, l.err
}

// The link is its caller's, and a secret: no event has it.
func TestCreateConsoleLink(t *testing.T) {
	t.Parallel()
	s := startService(t)
	links := new(theLinks)
	s.links = links
	res, err := s.Operator().CreateConsoleLink(s.as(auditor), &operatorv1.CreateConsoleLinkRequest{})
	s.must(err)
	if res.GetUrl() != consoleLink || !res.GetExpires().AsTime().Equal(noon) || !slices.Equal(links.of, []string{auditor}) {
		t.Errorf("%v for %q", res, links.of)
	}
	if e := s.lastEvent(); e.EventName != "CreateConsoleLink" || e.ReadOnly || e.ResponseElements["url"] != nil {
		t.Errorf("the last event is %+v", e)
	}
	links.err = errors.New("no entropy")
	_, err = s.Operator().CreateConsoleLink(s.as(auditor), &operatorv1.CreateConsoleLinkRequest{})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE, "internal fault")
}

// Who may not, or where there is nothing, is told so.
func TestOperatorMetricsAreRefused(t *testing.T) {
	t.Parallel()
	s := startService(t)
	stream := func(ctx context.Context, req *operatorv1.StreamMetricsRequest) error {
		return s.Operator().StreamMetrics(req, &received[operatorv1.StreamMetricsResponse]{ctx: ctx})
	}
	link := func(ctx context.Context) error {
		_, err := s.Operator().CreateConsoleLink(ctx, &operatorv1.CreateConsoleLinkRequest{})
		return err
	}
	_, err := s.Operator().DescribeAlarms(s.as(app), &operatorv1.DescribeAlarmsRequest{})
	for action, err := range map[string]error{
		"StreamMetrics": stream(s.as(app), &operatorv1.StreamMetricsRequest{}), "CreateConsoleLink": link(s.as(app)), "DescribeAlarms": err,
	} {
		expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, "is not authorized to perform: strongroom:"+action+" on resource: *")
	}
	expectKind(t, stream(s.as(auditor), &operatorv1.StreamMetricsRequest{}), annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "This server keeps no metrics.")
	expectKind(t, stream(s.as(auditor), &operatorv1.StreamMetricsRequest{HistorySeconds: new(int32(86401))}), annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "less than or equal to 86400")
	expectKind(t, link(s.as(auditor)), annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "console.enabled")
}
