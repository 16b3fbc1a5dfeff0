package console

import (
	"strings"
	"testing"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// The value of an alarm has the unit of what its condition compares.
func TestValuesOfAlarms(t *testing.T) {
	for _, test := range []struct {
		condition string
		value     float64
		want      string
	}{
		{"cloudhsm_hsm_temperature_celsius > 100", 104.5, "104"},
		{"a / b > 0.8", 0.853, "85.3 %"},
		{"strongroom_key_gcm_invocations_ratio_max > 0.85", 0.9, "90 %"},
		{"strongroom_keys_pending_deletion_seconds_min < 86400", 86235, "23 h 57 min"},
		{"strongroom_certificate_expiry_seconds < 2592000", 12*86400 + 3600, "12 days 1 h"},
		{"strongroom_audit_sink_lag_seconds > 300", 330, "5 min 30 s"},
		{"strongroom_audit_sink_lag_seconds > 300", 7200, "2 h"},
		{"x_seconds > 1", 2.5, "2.5 s"},
		{"x_seconds < 0", -90, "-1 min 30 s"},
		{"strongroom_hsm_restarts_total > 2.5", 3, "3"},
	} {
		if got := valueOf(test.condition, test.value); got != test.want {
			t.Errorf("%s: %v is %q, want %q", test.condition, test.value, got, test.want)
		}
	}
}

// From an alarm on a metric filter there is a way to the records that it has counted.
func TestAlarmsLeadToTheirRecords(t *testing.T) {
	f := newFixture(t).signIn()
	about := func(name, value string) *operatorv1.AlarmSubject {
		return &operatorv1.AlarmSubject{Labels: []*operatorv1.MetricDimension{{Name: &name, Value: &value}}, State: operatorv1.AlarmState_ALARM_STATE_FIRING.Enum()}
	}
	f.answers["DescribeAlarms"] = &operatorv1.DescribeAlarmsResponse{Alarms: []*operatorv1.AlarmDescription{{
		Name: new("MetricFilterMatched"), State: operatorv1.AlarmState_ALARM_STATE_FIRING.Enum(), Action: new("Run `strongroom <x>`."),
		Subjects: []*operatorv1.AlarmSubject{about("filter", "deletion"), about("filter", "failed-login"), about("filter", "unknown"), about("hsm_id", "deletion")},
	}}}
	page := f.get("/alarms", nil).Body.String()
	for _, want := range []string{
		`href="/events?filter=event.eventName&#43;%3D%3D&#43;%22ScheduleKeyDeletion%22"`, `href="/hsm-log?filter=entry.rv&#43;%21%3D&#43;0"`, "Run <code>strongroom &lt;x&gt;</code>.",
	} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#43;", "+")) {
			t.Errorf("there is no %s in\n%s", want, page)
		}
	}
	if n := strings.Count(page, "Show what matched"); n != 2 {
		t.Errorf("%d subjects lead to records, want 2", n)
	}
}
