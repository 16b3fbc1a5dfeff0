package metricfilter_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/internal/metricfilter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTrail(t *testing.T) *audit.Trail {
	t.Helper()
	trail, _, err := audit.Open(audit.Options{Dir: t.TempDir() + "/journal"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trail.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return trail
}

func record(t *testing.T, trail *audit.Trail, name, errorCode string) {
	t.Helper()
	e := &audit.APIEvent{EventName: name, EventSource: "kms.amazonaws.com", AWSRegion: "eu-central-1", EventTime: time.Now(), EventID: uuid.NewString(), ErrorCode: errorCode}
	if err := trail.RecordEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func recordLogin(t *testing.T, trail *audit.Trail, rv uint64) {
	t.Helper()
	if err := trail.QueueHSM("hsm-a", audit.HSMCommand{Function: "C_Login", Time: time.Now(), RV: rv, UserType: audit.UserTypeCryptoUser}); err != nil {
		t.Fatal(err)
	}
	if err := trail.FlushHSM(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// count starts a Counter, which the end of the test stops, and returns a registry with it.
func count(t *testing.T, trail *audit.Trail, logger hclog.Logger, filters []metricfilter.Filter) *prometheus.Registry {
	t.Helper()
	counter, err := metricfilter.New(metricfilter.Options{Trail: trail, Filters: filters, Interval: time.Millisecond, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(counter); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { counter.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return registry
}

// counts are the values of a metric by filter.
func counts(t *testing.T, g prometheus.Gatherer, metric string) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metric {
				all[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return all
}

// awaitMatches waits until records have been counted as wanted.
func awaitMatches(t *testing.T, g prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	const metric = "strongroom_metric_filter_matches_total"
	for deadline := time.Now().Add(20 * time.Second); !maps.Equal(counts(t, g, metric), want); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("matches (-want +got):\n%s", cmp.Diff(want, counts(t, g, metric)))
		}
	}
}

// TestMatchesAreCounted has records of both trails. What was there before is not counted.
func TestMatchesAreCounted(t *testing.T) {
	t.Parallel()
	trail := openTrail(t)
	record(t, trail, "ScheduleKeyDeletion", "")
	filters := metricfilter.WithBuiltin([]metricfilter.Filter{
		{Name: "changes", Trail: metricfilter.Events, When: `event.eventName.startsWith("Put") || event.eventName.startsWith("Create")`},
	})
	registry := count(t, trail, nil, filters)
	awaitMatches(t, registry, map[string]float64{"access-denied": 0, "changes": 0, "failed-login": 0, "schedule-key-deletion": 0})

	record(t, trail, "ScheduleKeyDeletion", "")
	record(t, trail, "ScheduleKeyDeletion", "AccessDeniedException")
	record(t, trail, "CreateKey", "AccessDeniedException")
	record(t, trail, "PutKeyPolicy", "")
	record(t, trail, "Decrypt", "IncorrectKeyException")
	recordLogin(t, trail, 0)
	recordLogin(t, trail, 0xa0) // CKR_PIN_INCORRECT
	awaitMatches(t, registry, map[string]float64{"access-denied": 2, "changes": 2, "failed-login": 1, "schedule-key-deletion": 2})
}

// TestAFilterStandsForABuiltinOne has one that is turned off.
func TestAFilterStandsForABuiltinOne(t *testing.T) {
	t.Parallel()
	trail := openTrail(t)
	registry := count(t, trail, nil, metricfilter.WithBuiltin([]metricfilter.Filter{
		{Name: metricfilter.AccessDenied, Trail: metricfilter.Events, When: "false"},
	}))
	record(t, trail, "Decrypt", "AccessDeniedException")
	record(t, trail, "ScheduleKeyDeletion", "")
	awaitMatches(t, registry, map[string]float64{"access-denied": 0, "failed-login": 0, "schedule-key-deletion": 1})
}

// TestAConditionThatTakesTooLong counts as a failure, is told of once, and keeps no other
// filter from its records.
func TestAConditionThatTakesTooLong(t *testing.T) {
	t.Parallel()
	list := "[" + strings.Repeat("1,", 60) + "1]"
	log := new(lockedBuffer)
	trail := openTrail(t)
	registry := count(t, trail, hclog.New(&hclog.LoggerOptions{Output: log}), []metricfilter.Filter{
		{Name: "endless", Trail: metricfilter.Events, When: fmt.Sprintf("%s.all(a, %s.all(b, %s.all(c, event.eventName != '')))", list, list, list)},
		{Name: "all", Trail: metricfilter.Events, When: "true"},
	})
	record(t, trail, "Encrypt", "")
	record(t, trail, "Encrypt", "")
	awaitMatches(t, registry, map[string]float64{"endless": 0, "all": 2})
	if diff := cmp.Diff(map[string]float64{"endless": 2, "all": 0}, counts(t, registry, "strongroom_metric_filter_failures_total")); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if got := strings.Count(log.String(), "metric filter endless: the condition takes too long on a record"); got != 1 {
		t.Errorf("the log tells of it %d times:\n%s", got, log)
	}
}

func TestBadConditionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, f := range []metricfilter.Filter{
		{Name: "syntax", Trail: metricfilter.Events, When: "event.eventName =="},
		{Name: "type", Trail: metricfilter.Events, When: `"a"`},
		{Name: "other", Trail: metricfilter.HSMLog, When: `event.eventName == "a"`},
	} {
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), "line 1") && f.Name != "type" {
			t.Errorf("%s: %v", f.When, err)
		}
		_, err := metricfilter.New(metricfilter.Options{Trail: openTrail(t), Filters: []metricfilter.Filter{f}})
		if err == nil || !strings.Contains(err.Error(), "metric filter "+f.Name) {
			t.Errorf("%s: %v", f.When, err)
		}
	}
	for _, f := range metricfilter.Builtin() {
		if err := f.Check(); err != nil {
			t.Error(err)
		}
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
