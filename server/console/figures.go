package console

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore/metric"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server"
)

// cloudHSMMetric is one of those that AWS CloudHSM has of an HSM.
type cloudHSMMetric struct {
	Name, Title, Unit string
	// Rate says that the metric only grows, and is plotted as what is added in a second.
	Rate bool
}

// cloudHSMMetrics are those that AWS CloudHSM has of each HSM.
func cloudHSMMetrics() []cloudHSMMetric {
	return []cloudHSMMetric{
		{Name: "HsmUnhealthy", Title: "Unhealthy", Unit: "Count"},
		{Name: "HsmTemperature", Title: "Temperature", Unit: "None"},
		{Name: "HsmSessionCount", Title: "Sessions", Unit: "Count"},
		{Name: "HsmKeysSessionOccupied", Title: "Session keys", Unit: "Count"},
		{Name: "HsmKeysTokenOccupied", Title: "Token keys", Unit: "Count"},
		{Name: "HsmSslCtxsOccupied", Title: "Encrypted channels", Unit: "Count"},
		{Name: "HsmUsersAvailable", Title: "Users available", Unit: "Count"},
		{Name: "HsmUsersMax", Title: "Users at most", Unit: "Count"},
		{Name: "InterfaceEth2OctetsInput", Title: "Octets in", Unit: "Bytes", Rate: true},
		{Name: "InterfaceEth2OctetsOutput", Title: "Octets out", Unit: "Bytes", Rate: true},
	}
}

// plot is a place for the plot of a metric, which the page's stream fills.
type plot struct {
	Namespace, Name, Title, Unit string
	// Rate says that the metric only grows, PerSecond that it is how many there were since the
	// sample before: both are plotted as how many there are in a second.
	Rate, PerSecond bool
	// Live is the name of the newest value in the page; empty: it is in no other place.
	Live string
	// HSM is the one whose series are shown; empty: those of all.
	HSM string
}

// cloudHSMPlots are those of an HSM, or of all.
func cloudHSMPlots(hsm string) []plot {
	var all []plot
	for _, m := range cloudHSMMetrics() {
		all = append(all, plot{Namespace: metric.CloudHSM, Name: m.Name, Title: m.Title, Unit: m.Unit, Rate: m.Rate, HSM: hsm})
	}
	return all
}

// figures are the newest values of all metrics.
type figures struct {
	// Sample is nil if there is none yet.
	Sample *operatorv1.MetricSample
}

// Of returns a metric's value of an HSM in its unit, "" if nobody tells it.
func (f figures) Of(hsm string, m cloudHSMMetric) string {
	for _, v := range f.Sample.GetValues() {
		s := v.GetSeries()
		if s.GetNamespace() == metric.CloudHSM && s.GetName() == m.Name && dimension(s, "HsmId") == hsm {
			return figure(v.GetValue(), m.Unit)
		}
	}
	return ""
}

// serviceMetric is one of the service's own.
type serviceMetric struct {
	// Name is the metric's, Live that of its newest value in a page.
	Name, Title, Live string
	// Unit is that in which it is shown; PerSecond says that the metric is how many there were
	// since the sample before, and is shown as how many there are in a second.
	Unit      string
	PerSecond bool
}

// serviceMetrics are those of the service that are plotted.
func serviceMetrics() []serviceMetric {
	return []serviceMetric{
		{Name: "Requests", Title: "Requests per second", Live: "requests-per-second", Unit: "Count/Second", PerSecond: true},
		{Name: "Errors", Title: "Errors per second", Live: "errors-per-second", Unit: "Count/Second", PerSecond: true},
		{Name: "Throttles", Title: "Throttles per second", Live: "throttles-per-second", Unit: "Count/Second", PerSecond: true},
		{Name: "LatencyMean", Title: "Latency, mean", Live: "latency-mean", Unit: "Milliseconds"},
		{Name: "LatencyP99", Title: "Latency, 99th percentile", Live: "latency-p99", Unit: "Milliseconds"},
		{Name: "RequestsInFlight", Title: "Requests in flight", Live: "requests-in-flight", Unit: "Count"},
		{Name: "JournalLag", Title: "Records in no log file yet", Live: "journal-lag", Unit: "Count"},
	}
}

// servicePlots are those of the service.
func servicePlots() []plot {
	var all []plot
	for _, m := range serviceMetrics() {
		all = append(all, plot{Namespace: metric.Service, Name: m.Name, Title: m.Title, Unit: m.Unit, PerSecond: m.PerSecond, Live: m.Live})
	}
	return all
}

func dimension(s *operatorv1.MetricSeries, name string) string {
	for _, d := range s.GetDimensions() {
		if d.GetName() == name {
			return d.GetValue()
		}
	}
	return ""
}

// sampleTime bounds the wait for the newest sample, which is there but in the first seconds
// of a server.
const sampleTime = time.Second

// newest asks for the newest sample of all metrics.
func (v *visit) newest() part[figures] {
	ctx, caller := v.context()
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	var found part[figures]
	err := v.operations.Follow(ctx, server.StreamRequest{
		Method:  operatorv1.OperatorService_StreamMetrics_FullMethodName,
		Message: &operatorv1.StreamMetricsRequest{Follow: new(true)},
		Send: func(m proto.Message) error {
			answer, ok := m.(*operatorv1.StreamMetricsResponse)
			if !ok || answer.GetSample() == nil {
				return nil
			}
			found.Value.Sample = answer.GetSample()
			cancel() // there is no need of more
			return ctx.Err()
		},
	})
	if err != nil && found.Value.Sample == nil && ctx.Err() == nil {
		found.Failure = v.failed(operatorv1.OperatorService_StreamMetrics_FullMethodName, caller.RequestID, err)
	}
	return found
}
