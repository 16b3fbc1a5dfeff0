package console

import (
	"google.golang.org/protobuf/proto"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server"
)

// plotSeconds is how much history a page's plots begin with.
const plotSeconds = 3 * 3600

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

// isOf says whether a series is an HSM's; all are if it is empty.
func isOf(s *operatorv1.MetricSeries, hsm string) bool {
	return hsm == "" || dimension(s, "HsmId") == hsm
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
