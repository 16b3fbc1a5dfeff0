package console

import (
	"cmp"
	"slices"

	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// overviewPage is how everything is.
type overviewPage struct {
	Clusters part[*cloudhsmv1.DescribeClustersResponse]
	HSMs     part[*operatorv1.DescribeHsmsResponse]
	Audit    part[*operatorv1.DescribeAuditResponse]
	Alarms   part[*operatorv1.DescribeAlarmsResponse]
	Figures  part[figures]
	// Metrics are the columns of the table of HSMs.
	Metrics []cloudHSMMetric
	// Service are the tiles of the service's metrics.
	Service []serviceMetric
	Plots   []plot
	// Ready says that requests can be answered.
	Ready bool
}

func overview(v *visit) view {
	p := overviewPage{Metrics: cloudHSMMetrics(), Plots: append(servicePlots(), cloudHSMPlots("")...), Service: serviceMetrics()}
	v.together(
		func() { p.HSMs = v.describeHSMs() },
		func() {
			p.Clusters = load[cloudhsmv1.DescribeClustersResponse](v, cloudhsmv1.CloudHsmService_DescribeClusters_FullMethodName, new(cloudhsmv1.DescribeClustersRequest))
		},
		func() {
			p.Audit = load[operatorv1.DescribeAuditResponse](v, operatorv1.OperatorService_DescribeAudit_FullMethodName, new(operatorv1.DescribeAuditRequest))
		},
		func() { p.Alarms = v.describeAlarms() },
		func() { p.Figures = v.newest() },
	)
	p.Ready = v.health() == nil
	return view{File: "overview.html", Title: "Overview", Section: "/", Stream: "/streams/metrics", Body: p}
}

func (v *visit) describeHSMs() part[*operatorv1.DescribeHsmsResponse] {
	return load[operatorv1.DescribeHsmsResponse](v, operatorv1.OperatorService_DescribeHsms_FullMethodName, new(operatorv1.DescribeHsmsRequest))
}

// describeAlarms asks for the alarms, those that need somebody first.
func (v *visit) describeAlarms() part[*operatorv1.DescribeAlarmsResponse] {
	p := load[operatorv1.DescribeAlarmsResponse](v, operatorv1.OperatorService_DescribeAlarms_FullMethodName, new(operatorv1.DescribeAlarmsRequest))
	slices.SortStableFunc(p.Value.GetAlarms(), func(a, b *operatorv1.AlarmDescription) int {
		return cmp.Or(cmp.Compare(b.GetState(), a.GetState()), cmp.Compare(severityRank(a.GetSeverity()), severityRank(b.GetSeverity())))
	})
	return p
}

func severityRank(severity string) int {
	return slices.Index([]string{"critical", "warning", "info"}, severity)
}

// HSMsReady counts the HSMs that take requests.
func (p overviewPage) HSMsReady() (n int) {
	for _, h := range p.HSMs.Value.GetHsms() {
		if h.GetState() == operatorv1.HsmState_HSM_STATE_READY {
			n++
		}
	}
	return n
}

// Firing are the alarms that fire.
func (p overviewPage) Firing() []*operatorv1.AlarmDescription {
	return inState(p.Alarms, operatorv1.AlarmState_ALARM_STATE_FIRING)
}

// Pending are those that will if it goes on.
func (p overviewPage) Pending() []*operatorv1.AlarmDescription {
	return inState(p.Alarms, operatorv1.AlarmState_ALARM_STATE_PENDING)
}

func inState(p part[*operatorv1.DescribeAlarmsResponse], s operatorv1.AlarmState) (found []*operatorv1.AlarmDescription) {
	for _, a := range p.Value.GetAlarms() {
		if a.GetState() == s {
			found = append(found, a)
		}
	}
	return found
}
