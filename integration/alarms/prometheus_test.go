package alarms

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	"github.com/strongroom-kms/strongroom/internal/alarm"
)

// program is the path of one of Debian's programs.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: run make test-deps", err)
	}
	return path
}

var (
	listeningPattern = regexp.MustCompile(`msg="Listening on" address=(127\.0\.0\.1:\d+)`)
	metricsPattern   = regexp.MustCompile(`url=http://(\S+)/metrics`)
)

// spawn starts one of Debian's programs and returns its address.
func spawn(t *testing.T, name string, args ...string) (address string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program(t, name), append(args, "--web.listen-address=127.0.0.1:0")...)
	p, err := harness.Spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return awaitAddress(t, p, `msg="Listening on"`, listeningPattern)
}

// awaitAddress waits for a line of a log, and returns the address in it.
func awaitAddress(t *testing.T, p *harness.Process, line string, address *regexp.Regexp) string {
	t.Helper()
	text, err := p.Stderr.Await(within(t, 20*time.Second), p.Exited(), line)
	if err != nil {
		t.Fatal(err)
	}
	found := address.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("there is no address in %s", text)
	}
	return found[1]
}

// metricsAddress is where a server answers Prometheus.
func metricsAddress(t *testing.T, server *harness.Server) string {
	t.Helper()
	return awaitAddress(t, server.Process, "metrics are served", metricsPattern)
}

// write writes a file of deploy/, with some of its text replaced: old and new in turn.
func write(t *testing.T, dir, example string, replaced ...string) (file string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/" + example)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(string(text), replaced[i]) {
			t.Fatalf("there is no %q in deploy/%s", replaced[i], example)
		}
	}
	file = filepath.Join(dir, filepath.Base(example))
	if err := os.WriteFile(file, []byte(strings.NewReplacer(replaced...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// startPrometheus has Prometheus watch a server by the rules, which do not wait here, and
// Alertmanager call the webhook.
func startPrometheus(t *testing.T, server *harness.Server, w *webhook) {
	t.Helper()
	dir := t.TempDir()
	alertmanager := spawn(t, "prometheus-alertmanager", "--cluster.listen-address=", "--storage.path="+filepath.Join(dir, "alerts"),
		"--config.file="+write(t, dir, "alertmanager/alertmanager.yml", "http://127.0.0.1:9099", w.url,
			"group_wait: 30s", "group_wait: 0s", "group_interval: 5m", "group_interval: 1s", "group_interval: 1m", "group_interval: 1s"))
	var impatient []alarm.Alarm
	for _, a := range alarm.Table(alarm.DefaultSettings()) {
		a.For = min(a.For, time.Second)
		impatient = append(impatient, a)
	}
	rules, err := alarm.Rules(impatient)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "strongroom.rules.yml"), rules, 0o600); err != nil {
		t.Fatal(err)
	}
	spawn(t, "prometheus", "--storage.tsdb.path="+filepath.Join(dir, "series"), "--rules.alert.resend-delay=1s",
		"--config.file="+write(t, dir, "prometheus/prometheus.yml", "127.0.0.1:7402", metricsAddress(t, server),
			"127.0.0.1:9093", alertmanager, "_interval: 15s", "_interval: 1s"))
}

// webhook receives what Alertmanager sends.
type webhook struct {
	url    string
	alerts chan alert
}

// alert is one that is firing, or resolved.
type alert struct {
	Status string            `json:"status"`
	Labels map[string]string `json:"labels"`
	// Annotations are the summary, and what to do.
	Annotations map[string]string `json:"annotations"`
}

func startWebhook(t *testing.T) *webhook {
	t.Helper()
	w := &webhook{alerts: make(chan alert, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Alerts []alert }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Errorf("what Alertmanager has sent: %v", err)
		}
		for _, a := range message.Alerts {
			w.alerts <- a
		}
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// await waits for an alert in a state, and returns it.
func (w *webhook) await(t *testing.T, name, status string) alert {
	t.Helper()
	ctx := within(t, 45*time.Second)
	var others []string
	for {
		select {
		case a := <-w.alerts:
			if a.Labels["alertname"] == name && a.Status == status {
				return a
			}
			others = append(others, a.Labels["alertname"]+" "+a.Status)
		case <-ctx.Done():
			t.Fatalf("%s has not become %s; what came: %v", name, status, others)
		}
	}
}
