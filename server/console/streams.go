package console

import (
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server"
)

// plotSeconds is how much history a page's plots begin with.
const plotSeconds = 3 * 3600

// followed is how many records of a trail come first when it is followed: those that may have
// come since the page was made.
const followed = 50

// seriesData is a series as pages get it.
type seriesData struct {
	Namespace  string            `json:"namespace"`
	Name       string            `json:"name"`
	Unit       string            `json:"unit"`
	Dimensions map[string]string `json:"dimensions"`
}

// valueData is a series at a moment.
type valueData struct {
	Series seriesData `json:"series"`
	Value  float64    `json:"value"`
}

// streamMetrics has the events "history", for each series, and "sample".
func streamMetrics(v *visit) (server.StreamRequest, func(proto.Message) (string, any)) {
	hsm := v.query("hsm")
	return server.StreamRequest{
			Method:  operatorv1.OperatorService_StreamMetrics_FullMethodName,
			Message: &operatorv1.StreamMetricsRequest{HistorySeconds: new(int32(plotSeconds)), Follow: new(true)},
		}, func(m proto.Message) (string, any) {
			answer, ok := m.(*operatorv1.StreamMetricsResponse)
			switch {
			case !ok:
				return "", nil
			case answer.GetSample() != nil:
				return "sample", sampleOf(answer.GetSample(), hsm)
			case answer.GetHistory() != nil && isOf(answer.GetHistory().GetSeries(), hsm):
				return "history", historyOf(answer.GetHistory())
			}
			return "", nil
		}
}

// isOf says whether a page shows a series: of CloudHSM's those of each HSM, and not the sums
// of clusters; of a page of one HSM its own only.
func isOf(s *operatorv1.MetricSeries, hsm string) bool {
	if hsm == "" {
		return s.GetNamespace() != metric.CloudHSM || dimension(s, "HsmId") != ""
	}
	return dimension(s, "HsmId") == hsm
}

func historyOf(h *operatorv1.MetricHistory) any {
	points := make([][3]float64, 0, len(h.GetPoints())) // when, in seconds, the mean, and the sum
	for _, p := range h.GetPoints() {
		points = append(points, [3]float64{float64(p.GetTime().GetSeconds()), p.GetSum() / float64(max(p.GetSamples(), 1)), p.GetSum()})
	}
	return map[string]any{"series": seriesOf(h.GetSeries()), "points": points}
}

func sampleOf(s *operatorv1.MetricSample, hsm string) any {
	values := []valueData{}
	for _, v := range s.GetValues() {
		if isOf(v.GetSeries(), hsm) {
			values = append(values, valueData{seriesOf(v.GetSeries()), v.GetValue()})
		}
	}
	at := s.GetTime().AsTime()
	return map[string]any{"time": float64(at.UnixMilli()) / 1000, "values": values}
}

func seriesOf(s *operatorv1.MetricSeries) seriesData {
	d := seriesData{Namespace: s.GetNamespace(), Name: s.GetName(), Unit: s.GetUnit(), Dimensions: map[string]string{}}
	for _, each := range s.GetDimensions() {
		d.Dimensions[each.GetName()] = each.GetValue()
	}
	return d
}

// streamEvents has the event "record" for each API event that the page's search matches.
func streamEvents(v *visit) (server.StreamRequest, func(proto.Message) (string, any)) {
	return server.StreamRequest{
			Method:  operatorv1.OperatorService_StreamEvents_FullMethodName,
			Message: &operatorv1.StreamEventsRequest{Last: new(int32(followed)), Follow: new(true), Selector: v.eventForm().eventSelector()},
		}, func(m proto.Message) (string, any) {
			if e, ok := m.(*operatorv1.StreamEventsResponse); ok {
				return "record", eventRowOf(e)
			}
			return "", nil
		}
}

// streamHSMLog has the event "record" for each entry that the page's search matches.
func streamHSMLog(v *visit) (server.StreamRequest, func(proto.Message) (string, any)) {
	return server.StreamRequest{
			Method:  operatorv1.OperatorService_StreamHsmLog_FullMethodName,
			Message: &operatorv1.StreamHsmLogRequest{Last: new(int32(followed)), Follow: new(true), Selector: v.entryForm().entrySelector()},
		}, func(m proto.Message) (string, any) {
			if e, ok := m.(*operatorv1.StreamHsmLogResponse); ok {
				return "record", entryRowOf(e)
			}
			return "", nil
		}
}
