package alarm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// The step does not divide the windows of the conditions: which value stands at the very
// beginning of one depends on Prometheus's version.
const (
	randomStep  = 7 * time.Second
	randomSteps = 400
)

// TestBothEvaluationsAgree has series of random values around the thresholds, with gaps and
// resets, evaluated by Prometheus and by ourselves: the same alerts fire from the same step on
// until the same step. The series are the first ones for which every alarm fires.
func TestBothEvaluationsAgree(t *testing.T) {
	t.Parallel()
	skipShort(t)
	for seed := range uint64(50) {
		test, silent := randomTest(t, seed)
		if len(silent) > 0 {
			continue
		}
		rules, err := filepath.Abs(rulesFile)
		if err != nil {
			t.Fatal(err)
		}
		promtool(t, "test", "rules", written(t, ruleTests{[]string{rules}, randomStep.String(), []ruleTest{test}}))
		return
	}
	_, silent := randomTest(t, 0)
	t.Errorf("there are no random series for which every alarm fires; with the first ones these do not: %v", silent)
}

// randomTest has random series, and as expectations what we say of them. Some alarms may be
// silent.
func randomTest(t *testing.T, seed uint64) (test ruleTest, silent []string) {
	t.Helper()
	s := randomScript(rand.New(rand.NewPCG(seed, 0))) //nolint:gosec // the same at each run
	test = ruleTest{Name: fmt.Sprintf("seed %d", seed), Interval: randomStep.String(), Series: printed(s)}
	fired, before := map[string]bool{}, []string(nil)
	play(Table(DefaultSettings()), s, randomSteps, func(step int, alerts []string) {
		note(t, fired, map[string]bool{}, alerts)
		if step%20 == 0 || !slices.Equal(alerts, before) {
			test.Checks = append(test.Checks, exprTest{firingExpr, (time.Duration(step) * randomStep).String(), asSamples(alerts)})
		}
		before = alerts
	})
	for _, a := range Table(DefaultSettings()) {
		if !a.Outside && !fired[a.Name] {
			silent = append(silent, a.Name)
		}
	}
	return test, silent
}

func written(t *testing.T, tests ruleTests) (file string) {
	t.Helper()
	text, err := yaml.Marshal(tests)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "random.test.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// asSamples are the samples of ALERTS that are expected of Prometheus.
func asSamples(alerts []string) (samples []exprSample) {
	for _, a := range alerts {
		samples = append(samples, exprSample{a, 1})
	}
	return samples
}

// printed are series as promtool reads them.
func printed(s script) (all []inputSeries) {
	for _, one := range s.series {
		values := make([]string, len(one.values))
		for i, v := range one.values {
			values[i] = "stale"
			if !math.IsNaN(v) {
				values[i] = number(v)
			}
		}
		all = append(all, inputSeries{one.metric + printLabels(one.labels), strings.Join(values, " ")})
	}
	return all
}

// randomScript has series for every alarm.
func randomScript(r *rand.Rand) script {
	s := script{step: randomStep}
	add := func(values []float64, metric string, labels ...string) {
		s.series = append(s.series, scriptSeries{metric, labelsOf(labels), values})
	}
	for _, hsm := range []string{"hsm-a", "hsm-b", "hsm-c"} {
		of := []string{"hsm_id", hsm, "cluster_id", "cluster-" + string(hsm[4]%2+'0')}
		gauge := func(metric string, values ...float64) { add(levels(r, values...), metric, of...) }
		gauge("cloudhsm_hsm_unhealthy", 0, 0, 1)
		gauge("cloudhsm_hsm_temperature_celsius", 60, 100, 101)
		gauge("cloudhsm_hsm_keys_token_occupied", 80, 90)
		gauge("strongroom_hsm_keys_limit", 100, 100, 110)
		gauge("cloudhsm_hsm_session_count", 90, 95)
		gauge("strongroom_hsm_sessions_limit", 100)
		gauge("cloudhsm_hsm_users_available", 9, 10)
		gauge("cloudhsm_hsm_users_max", 100)
		for _, state := range []string{"ready", "stopped", "suspended"} {
			add(levels(r, 0, 0, 1), "strongroom_hsm_state", append(of, "state", state)...)
		}
		for _, state := range []string{"good", "count_low", "final_try", "locked"} {
			add(levels(r, 0, 0, 1), "strongroom_hsm_pin_state", append(of, "state", state)...)
		}
		add(counter(r, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), "strongroom_hsm_restarts_total", of...)
	}
	randomService(r, add)
	return s
}

// randomService has requests that are not whole ones: sums of them, whose last bits depend on
// the order, do not come to lie on a threshold.
func randomService(r *rand.Rand, add func(values []float64, metric string, labels ...string)) {
	add(levels(r, 1, 0), "strongroom_audit_journal_healthy")
	add(levels(r, 0, 1000, -5000), "strongroom_audit_digest_end_timestamp_seconds", "region", "eu-central-1")
	for _, sink := range []string{"s3", "otlp"} {
		add(levels(r, 0, 1), "strongroom_audit_sink_blocked", "sink", sink)
		add(levels(r, 300, 301, 7201, 7300), "strongroom_audit_sink_lag_seconds", "sink", sink)
		add(rare(r), "strongroom_audit_sink_skipped_records_total", "sink", sink)
		add(rare(r), "strongroom_audit_sink_missed_records_total", "sink", sink)
	}
	add(levels(r, 0.8, 0.86), "strongroom_key_gcm_invocations_ratio_max")
	add(levels(r, 7*day, 6*day), "strongroom_key_material_expiry_seconds_min")
	add(levels(r, day, day-1), "strongroom_keys_pending_deletion_seconds_min")
	add(levels(r, 15*day, 3*day, day, -day), "strongroom_certificate_expiry_seconds", "use", "server")
	add(levels(r, 90*day, 10*day), "strongroom_certificate_lifetime_seconds", "use", "server")
	add(levels(r, 11*gibibyte, 9*gibibyte, segments-1), "strongroom_disk_free_bytes", "directory", "data")
	add(levels(r, 100*gibibyte, 50*gibibyte), "strongroom_disk_size_bytes", "directory", "data")
	for _, load := range []string{"strongroom_requests_in_flight", "strongroom_grpc_connections"} {
		add(levels(r, 90, 91), load)
		add(levels(r, 100, 100, 101), load+"_limit")
	}
	add(rare(r), "strongroom_metric_filter_matches_total", "filter", "schedule-key-deletion")
	add(counter(r, 0, 0, 0, 1), "strongroom_metric_filter_matches_total", "filter", "access-denied")
	add(counter(r, 0, 0, 1), "strongroom_throttled_total", "store", "cks-1")
	for _, outcome := range []string{"ok", "AccessDeniedException"} {
		add(counter(r, 0, 1.0071, 5.0113), "strongroom_requests_total", "outcome", outcome)
	}
	add(counter(r, 0, 0, 0, 0, 0, 2.0037), "strongroom_requests_total", "outcome", "KMSInternalException")
	for _, operation := range []string{"Encrypt", "Decrypt"} {
		within, most, all := counter(r, 5.0203), counter(r, 0, 0, 0, 1.0091), counter(r, 0, 0, 0, 0, 0, 1.0057)
		for _, bucket := range []string{"1", "2.5", "+Inf"} {
			add(within, "strongroom_request_duration_seconds_bucket", "operation", operation, "le", bucket)
			within, most = sum(within, most), all
		}
	}
}

func labelsOf(pairs []string) labels {
	l := labels{}
	for pair := range slices.Chunk(pairs, 2) {
		l[pair[0]] = pair[1]
	}
	return l
}

// levels stays at one of the values for a while, and then at another; sometimes it is not
// there.
func levels(r *rand.Rand, values ...float64) []float64 {
	all := make([]float64, 0, randomSteps)
	for len(all) < randomSteps {
		value := values[r.IntN(len(values))]
		if r.IntN(20) == 0 {
			value = math.NaN()
		}
		all = append(all, slices.Repeat([]float64{value}, 1+r.IntN(200))...)
	}
	return all[:randomSteps]
}

// counter grows by one of the values at each step, in a mood that changes, and is seldom
// reset or not there.
func counter(r *rand.Rand, by ...float64) []float64 {
	all, now, mood := make([]float64, randomSteps), 0.0, 1.0
	for i := range all {
		switch r.IntN(200) {
		case 0:
			now = 0
		case 1, 2, 3:
			mood = float64(r.IntN(4))
		}
		now += mood * by[r.IntN(len(by))]
		all[i] = now
		if r.IntN(300) == 0 {
			all[i] = math.NaN()
		}
	}
	return all
}

// rare grows once or twice.
func rare(r *rand.Rand) []float64 {
	all, now := make([]float64, randomSteps), 0.0
	for i := range all {
		if r.IntN(randomSteps/2) == 0 {
			now++
		}
		all[i] = now
	}
	return all
}

func sum(a, b []float64) []float64 {
	all := slices.Clone(a)
	for i := range all {
		all[i] += b[i]
	}
	return all
}
