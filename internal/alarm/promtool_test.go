package alarm

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/strongroom-kms/strongroom/keystore"
)

const (
	alarmFiring = keystore.AlarmFiring
	rulesFile   = "../../deploy/prometheus/strongroom.rules.yml"
	testFile    = "../../deploy/prometheus/strongroom.test.yml"
)

// ruleTests is a file of promtool's tests, as far as ours has it.
type ruleTests struct {
	RuleFiles []string   `yaml:"rule_files"`
	Interval  string     `yaml:"evaluation_interval"`
	Tests     []ruleTest `yaml:"tests"`
}

type ruleTest struct {
	Name     string        `yaml:"name,omitempty"`
	Interval string        `yaml:"interval"`
	Series   []inputSeries `yaml:"input_series"`
	Checks   []exprTest    `yaml:"promql_expr_test"`
}

type inputSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type exprTest struct {
	Expr     string       `yaml:"expr"`
	At       string       `yaml:"eval_time"`
	Expected []exprSample `yaml:"exp_samples,omitempty"`
}

type exprSample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// firingExpr is what is asked of Prometheus at each time.
const firingExpr = `ALERTS{alertstate="firing"}`

// skipShort leaves a test out of the run with the race detector, which Prometheus does not
// notice.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes seconds")
	}
}

// promtool runs Debian's promtool.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v: run make test-deps", err)
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%.4000s", strings.Join(args, " "), err, out)
	}
}

func TestTheRulesAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	want, err := Rules(Table(DefaultSettings()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(rulesFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not up to date (%v): run make generate", rulesFile, err)
	}
	promtool(t, "check", "rules", rulesFile)
}

func TestEachAlarmFiresAndClearsInPrometheus(t *testing.T) {
	t.Parallel()
	skipShort(t)
	promtool(t, "test", "rules", testFile)
}

// TestEachAlarmFiresAndClears evaluates the file of promtool's tests in the process.
func TestEachAlarmFiresAndClears(t *testing.T) {
	t.Parallel()
	fired, cleared := map[string]bool{}, map[string]bool{}
	for _, test := range readTests(t).Tests {
		s := scriptOf(t, test)
		checks := map[int][]string{}
		for _, c := range test.Checks {
			checks[int(parseTime(t, c.At)/s.step)] = expected(t, c)
		}
		steps := slices.Max(slices.Collect(maps.Keys(checks))) + 1
		play(Table(DefaultSettings()), s, steps, func(step int, firing []string) {
			want, checked := checks[step]
			if diff := cmp.Diff(want, firing); checked && diff != "" {
				t.Errorf("%s: what fires after %v (-want +got):\n%s", test.Name, time.Duration(step)*s.step, diff)
			}
			note(t, fired, cleared, firing)
		})
	}
	for _, a := range Table(DefaultSettings()) {
		if !a.Outside && (!fired[a.Name] || !cleared[a.Name]) {
			t.Errorf("%s: it has fired: %t; it has cleared: %t", a.Name, fired[a.Name], cleared[a.Name])
		}
	}
}

// note notes which alarms have fired, and which did and do not any more.
func note(t *testing.T, fired, cleared map[string]bool, firing []string) {
	t.Helper()
	now := map[string]bool{}
	for _, f := range firing {
		_, l := parseSeries(t, f)
		now[l["alertname"]], fired[l["alertname"]] = true, true
	}
	for name := range fired {
		cleared[name] = cleared[name] || !now[name]
	}
}

func readTests(t *testing.T) (tests ruleTests) {
	t.Helper()
	text, err := os.ReadFile(testFile)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&tests); err != nil {
		t.Fatal(err)
	}
	return tests
}

func scriptOf(t *testing.T, test ruleTest) script {
	t.Helper()
	s := script{step: parseTime(t, test.Interval)}
	for _, in := range test.Series {
		metric, l := parseSeries(t, in.Series)
		s.series = append(s.series, scriptSeries{metric, l, parseValues(t, in.Values)})
	}
	return s
}

// expected are the alerts that a check expects, but for those that only Prometheus can tell.
func expected(t *testing.T, c exprTest) (alerts []string) {
	t.Helper()
	if c.Expr != firingExpr {
		t.Fatalf("the check is of %s, want %s", c.Expr, firingExpr)
	}
	for _, sample := range c.Expected {
		_, l := parseSeries(t, sample.Labels)
		if l["alertname"] != outsideAlarms()[0].Name {
			alerts = append(alerts, "ALERTS"+printLabels(l))
		}
	}
	return alerts
}

func parseTime(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
