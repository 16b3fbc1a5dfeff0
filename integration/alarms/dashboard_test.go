package alarms

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dashboard is Grafana's, as far as queries go.
type dashboard struct {
	Title         string  `json:"title"`
	UID           string  `json:"uid"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []panel `json:"panels"`
}

type panel struct {
	ID      int      `json:"id"`
	Type    string   `json:"type"`
	Title   string   `json:"title"`
	GridPos gridPos  `json:"gridPos"`
	Targets []target `json:"targets"`
}

type gridPos struct{ X, Y, W, H int }

type target struct {
	Expr string `json:"expr"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/strongroom.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// queries are what the dashboard asks of Prometheus, by panel, with its variables as Grafana
// puts them in.
func (d dashboard) queries() map[string]string {
	variables := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")
	all := map[string]string{}
	for _, p := range d.Panels {
		for i, q := range p.Targets {
			all[fmt.Sprintf("%s %d", p.Title, i)] = variables.Replace(q.Expr)
		}
	}
	return all
}

// TestTheDashboardIsWhole looks at the panels, and has Prometheus parse the queries.
func TestTheDashboardIsWhole(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 39 || len(d.queries()) < 30 {
		t.Errorf("title %q, uid %q, schema %d, %d queries", d.Title, d.UID, d.SchemaVersion, len(d.queries()))
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.W < 1 || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d, %q: its id is another's, it has no title, no query, or is beside the grid", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, other := range d.Panels[:i] {
			if p.GridPos.overlaps(other.GridPos) {
				t.Errorf("the panels %q and %q overlap", p.Title, other.Title)
			}
		}
	}
	checkQueries(t, d.queries())
}

func (g gridPos) overlaps(o gridPos) bool {
	return g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H
}

// checkQueries has promtool check a file of rules that record what the queries give.
func checkQueries(t *testing.T, queries map[string]string) {
	t.Helper()
	type recorded struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []recorded
	for i, name := range slices.Sorted(maps.Keys(queries)) {
		rules = append(rules, recorded{fmt.Sprintf("query_%d", i), queries[name]})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.rules.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program(t, "promtool"), "check", "rules", "--lint-fatal", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// TestTheExamplesAreGood has Debian's tools check the examples of configurations.
func TestTheExamplesAreGood(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"promtool": {"check", "config", "../../deploy/prometheus/prometheus.yml"},
		"amtool":   {"check-config", "../../deploy/alertmanager/alertmanager.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), program(t, name), args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
