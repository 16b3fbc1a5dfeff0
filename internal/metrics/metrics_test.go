package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/internal/metrics"
)

func sources() metrics.Sources {
	return metrics.Sources{
		Journal: func() metrics.Journal {
			return metrics.Journal{ID: "0a0b", HeadHash: "ff00", HeadSequence: 1234, FirstSequence: 7, SizeBytes: 1 << 20, Healthy: true}
		},
		Digests: func() []metrics.Digest {
			return []metrics.Digest{{Region: "eu-central-1", End: time.Unix(1_700_000_000, 0), LastSequence: 1200}, {Region: "us-east-1", End: time.Unix(1_700_000_060, 0), LastSequence: 1201}}
		},
		ExportSequence: func() uint64 { return 1230 },
		Sinks: func() []ship.Status {
			return []ship.Status{{Name: "otlp", Sequence: 1000, LagRecords: 234, LagOldest: 90 * time.Second, Errors: 3, Sent: 50, Skipped: 1, Missed: 2},
				{Name: "s3", Required: true, Blocked: true}}
		},
		IndexLag: func() uint64 { return 5 },
	}
}

func serve(t *testing.T, s metrics.Sources, ready error) string {
	t.Helper()
	registry, err := metrics.NewRegistry(s)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(metrics.NewHandler(registry, func() error { return ready }))
	t.Cleanup(server.Close)
	return server.URL
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// What is scraped says what the sources say.
func TestScrape(t *testing.T) {
	_, text := get(t, serve(t, sources(), nil)+"/metrics")
	for _, line := range []string{
		`strongroom_audit_journal_head_sequence 1234`,
		`strongroom_audit_journal_first_sequence 7`,
		`strongroom_audit_journal_size_bytes 1.048576e+06`,
		`strongroom_audit_journal_healthy 1`,
		`strongroom_audit_journal_head_info{hash="ff00",journal="0a0b",sequence="1234"} 1`,
		`strongroom_audit_digest_end_timestamp_seconds{region="eu-central-1"} 1.7e+09`,
		`strongroom_audit_digest_last_sequence{region="us-east-1"} 1201`,
		`strongroom_audit_export_lag_records 4`,
		`strongroom_audit_index_lag_records 5`,
		`strongroom_audit_sink_sequence{sink="otlp"} 1000`,
		`strongroom_audit_sink_lag_records{sink="otlp"} 234`,
		`strongroom_audit_sink_lag_seconds{sink="otlp"} 90`,
		`strongroom_audit_sink_required{sink="s3"} 1`,
		`strongroom_audit_sink_blocked{sink="s3"} 1`,
		`strongroom_audit_sink_errors_total{sink="otlp"} 3`,
		`strongroom_audit_sink_sent_total{sink="otlp"} 50`,
		`strongroom_audit_sink_skipped_records_total{sink="otlp"} 1`,
		`strongroom_audit_sink_missed_records_total{sink="otlp"} 2`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	families := parse(t, text)
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if families[name] == nil {
			t.Errorf("no metric %s", name)
		}
	}
}

// Names, units and types are as Prometheus wants them, and each metric has its help.
func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	_, text := get(t, serve(t, sources(), nil)+"/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Without sources there are the process's own metrics alone.
func TestNoSources(t *testing.T) {
	_, text := get(t, serve(t, metrics.Sources{}, nil)+"/metrics")
	if strings.Contains(text, "strongroom_") || parse(t, text)["go_goroutines"] == nil {
		t.Errorf("scraped without sources:\n%s", text)
	}
}

func TestHealth(t *testing.T) {
	secret := errors.New("why it is not ready")
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/": http.StatusNotFound} {
		code, body := get(t, serve(t, sources(), secret)+path)
		if code != want || strings.Contains(body, secret.Error()) {
			t.Errorf("%s of a server that is not ready: %d %s, want %d", path, code, body, want)
		}
	}
	if code, _ := get(t, serve(t, sources(), nil)+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz of a server that is ready: %d", code)
	}
}
