package console

import operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"

// alarmsPage is all alarms, those that need somebody first.
type alarmsPage struct {
	Alarms  []*operatorv1.AlarmDescription
	Failure *failure
}

func alarms(v *visit) view {
	found := v.describeAlarms()
	p := alarmsPage{Alarms: found.Value.GetAlarms(), Failure: found.Failure}
	return view{File: "alarms.html", Title: "Alarms", Section: "/alarms", Stream: "/streams/metrics", Status: p.Failure.status(), Body: p}
}
