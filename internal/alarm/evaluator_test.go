package alarm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/strongroom-kms/strongroom/keystore"
)

// hot is an alarm that fires when it has been hot for a minute.
func hot() Alarm {
	return Alarm{
		Name: "Hot", Severity: Warning, Summary: "It is hot.", Action: "Cool it.", Runbook: "a.md#b", For: time.Minute,
		When: Above(Latest(Series("temperature")), 100),
	}
}

// TestTheLifeOfAnAlarm has it pending, firing and quiet again in the bubble's time, and shows
// what each of those who are told is told.
func TestTheLifeOfAnAlarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		temperature := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "temperature"}, []string{"hsm_id"})
		registry := prometheus.NewRegistry()
		var log bytes.Buffer
		e := New(Options{Alarms: []Alarm{hot()}, Gatherer: registry, Logger: hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true})})
		registry.MustRegister(temperature, e)
		temperature.WithLabelValues("hsm-a").Set(101)
		temperature.WithLabelValues("hsm-b").Set(99)

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go e.Run(ctx)
		begin := time.Now()
		check := func(state keystore.AlarmState, since time.Time, firing string, subjects ...keystore.AlarmSubject) {
			t.Helper()
			synctest.Wait()
			want := []keystore.Alarm{{
				Name: "Hot", Severity: "warning", Summary: "It is hot.", Action: "Cool it. See docs/a.md#b.",
				Condition: "temperature > 100", State: state, Since: since, Subjects: subjects,
			}}
			if diff := cmp.Diff(want, e.List()); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", time.Since(begin), diff)
			}
			if got := firingMetric(t, registry); got != firing {
				t.Errorf("after %v strongroom_alarm_firing is %s, want %s", time.Since(begin), got, firing)
			}
		}
		subject := func(hsm string, value float64, state keystore.AlarmState, since time.Time) keystore.AlarmSubject {
			return keystore.AlarmSubject{Labels: map[string]string{"hsm_id": hsm}, Value: value, State: state, Since: since}
		}
		check(keystore.AlarmPending, begin, "Hot warning 0", subject("hsm-a", 101, keystore.AlarmPending, begin))

		time.Sleep(55 * time.Second)
		temperature.WithLabelValues("hsm-a").Set(104)
		temperature.WithLabelValues("hsm-b").Set(102)
		time.Sleep(5 * time.Second)
		fires := begin.Add(time.Minute)
		check(keystore.AlarmFiring, fires, "Hot warning 1", subject("hsm-a", 104, keystore.AlarmFiring, fires), subject("hsm-b", 102, keystore.AlarmPending, fires))

		temperature.WithLabelValues("hsm-a").Set(100)
		temperature.DeleteLabelValues("hsm-b")
		time.Sleep(10 * time.Second)
		check(keystore.AlarmOK, fires.Add(10*time.Second), "Hot warning 0")

		want := "[WARN]  an alarm is firing: It is hot: alarm=Hot severity=warning hsm_id=hsm-a value=104 action=\"Cool it.\" see=\"docs/a.md#b\"\n" +
			"[INFO]  an alarm is over: alarm=Hot severity=warning hsm_id=hsm-a\n"
		if diff := cmp.Diff(want, log.String()); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

// firingMetric is the one series of strongroom_alarm_firing, in words.
func firingMetric(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "strongroom_alarm_firing" {
			m := f.GetMetric()[0]
			return fmt.Sprintf("%s %s %v", m.GetLabel()[0].GetValue(), m.GetLabel()[1].GetValue(), m.GetGauge().GetValue())
		}
	}
	return "not there"
}

// TestMetricsThatCannotBeGathered are told of once, and the others are evaluated.
func TestMetricsThatCannotBeGathered(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := hot()
	a.For = 0
	e := New(Options{Alarms: []Alarm{a}, Logger: hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true})})
	failing := errors.New("the sensor is gone")
	for i, err := range []error{failing, failing, nil, failing} {
		e.o.Gatherer = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			return []*dto.MetricFamily{family("temperature", labels{}, 101)}, err
		})
		e.evaluate(start().Add(time.Duration(i) * DefaultInterval))
	}
	if got := strings.Count(log.String(), "the sensor is gone"); got != 2 {
		t.Errorf("the log tells %d times of two failures:\n%s", got, &log)
	}
	if got := len(firing(e)); got != 1 {
		t.Errorf("%d alarms fire, want 1", got)
	}
}

// TestAQuantileOfARealHistogram compares with what the observations are.
func TestAQuantileOfARealHistogram(t *testing.T) {
	t.Parallel()
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "took_seconds", Buckets: []float64{0.5, 1, 2.5}}, []string{"operation"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(took)
	v := Quantile(0.9, Sum(Increase(Series("took_seconds_bucket"), time.Minute), bucketLabel))
	h := newHistory([]Alarm{{When: Above(v, 0)}})
	for i := range 2 {
		for operation, values := range map[string][]float64{"A": {0.1, 0.2, 0.3, 0.4}, "B": {0.1, 0.2, 0.3, 0.4, 0.7, 2}} {
			for _, value := range values {
				took.WithLabelValues(operation).Observe(value)
			}
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		h.add(start().Add(time.Duration(i)*50*time.Second), families)
	}
	// Nine of ten are at most 1 second, and the ninth is the only one above half a second.
	if diff := cmp.Diff([]sample{{labels{}, 1}}, v.at(h), cmp.AllowUnexported(sample{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", v.PromQL(), diff)
	}
}
