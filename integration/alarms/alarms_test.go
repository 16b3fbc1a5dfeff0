package alarms

import (
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// The token of the only HSM is gone and comes back, and a key is to be destroyed: whoever is
// at the end of Alertmanager's webhook is told of each, and that the HSM is well again. The
// server itself says the same in its log and when it is asked.
func TestAlarmsReachAWebhook(t *testing.T) {
	t.Parallel()
	faults := newFaults(t)
	env := map[string]string{}
	for _, e := range faults.Env() {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	site := newSite(t, harness.Options{Library: faults.Path(), WorkerEnv: env, HangTimeout: time.Second}, "")
	server := start(t, site)
	client := dial(t, site, server)
	key, err := client.NewKey(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	w := startWebhook(t)
	startPrometheus(t, server, w)

	if err := faults.Set(faultp11.Absent()); err != nil {
		t.Fatal(err)
	}
	firing := w.await(t, "HSMUnhealthy", "firing")
	if firing.Labels["severity"] != "critical" || firing.Labels["hsm_id"] != hsmID(t, client) || firing.Annotations["runbook"] == "" {
		t.Errorf("the HSM is gone, and the alert is %v", firing)
	}
	if err := faults.Clear(); err != nil {
		t.Fatal(err)
	}
	resolved := w.await(t, "HSMUnhealthy", "resolved")
	if resolved.Labels["hsm_id"] != firing.Labels["hsm_id"] {
		t.Errorf("the HSM is back, and the alert that is resolved is %v, not %v", resolved, firing)
	}

	// Prometheus has counted before, so that it sees the count rise.
	if _, err := client.KMS.ScheduleKeyDeletion(within(t, 10*time.Second), &kmsv1.ScheduleKeyDeletionRequest{KeyId: &key, PendingWindowInDays: new(int32(7))}); err != nil {
		t.Fatal(err)
	}
	if a := w.await(t, "MetricFilterMatched", "firing"); a.Labels["filter"] != "schedule-key-deletion" || a.Labels["severity"] != "warning" {
		t.Errorf("a key is to be deleted, and the alert is %v", a)
	}
	checkOwnAlarms(t, server, client)
}

// checkOwnAlarms checks what the server says of the key that is to be deleted.
func checkOwnAlarms(t *testing.T, server *harness.Server, client *harness.Client) {
	t.Helper()
	line, err := server.Stderr.Await(within(t, 30*time.Second), server.Exited(), "alarm=MetricFilterMatched")
	if err != nil || !strings.Contains(line, "an alarm is firing") || !strings.Contains(line, "filter=schedule-key-deletion") {
		t.Errorf("the log says %q (%v)", line, err)
	}
	answer, err := client.Operator.DescribeAlarms(within(t, 10*time.Second), &operatorv1.DescribeAlarmsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answer.GetAlarms() {
		if a.GetName() == "MetricFilterMatched" {
			if a.GetState() != operatorv1.AlarmState_ALARM_STATE_FIRING || len(a.GetSubjects()) != 1 || a.GetSince() == nil {
				t.Errorf("the alarm is %v", a)
			}
			return
		}
	}
	t.Error("the server has no alarm MetricFilterMatched")
}

func hsmID(t *testing.T, client *harness.Client) string {
	t.Helper()
	answer, err := client.Operator.DescribeHsms(within(t, 10*time.Second), &operatorv1.DescribeHsmsRequest{})
	if err != nil || len(answer.GetHsms()) != 1 {
		t.Fatalf("the server describes %v (%v), want one HSM", answer.GetHsms(), err)
	}
	return answer.GetHsms()[0].GetHsmId()
}
