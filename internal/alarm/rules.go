package alarm

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// rulesHead says where the rules come from.
const rulesHead = `# Alarms of Strongroom for Prometheus. Made from the table in internal/alarm by
# "make generate"; docs/monitoring.md describes them. The ages of digests are those of the
# default audit.digest_period, an hour.
`

// Rules prints alarms as a file of Prometheus's alerting rules. It fails if it cannot be
// written as YAML.
func Rules(alarms []Alarm) ([]byte, error) {
	group := ruleGroup{Name: "strongroom"}
	for _, a := range alarms {
		group.Rules = append(group.Rules, ruleOf(a))
	}
	var b bytes.Buffer
	b.WriteString(rulesHead)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(ruleFile{[]ruleGroup{group}}); err != nil {
		return nil, fmt.Errorf("writing the rules: %w", err)
	}
	return b.Bytes(), nil
}

func ruleOf(a Alarm) rule {
	r := rule{
		Alert: a.Name, Expr: a.When.PromQL(),
		Labels:      ruleLabels{Severity: a.Severity, Service: "strongroom"},
		Annotations: ruleTexts{Summary: a.Summary, Action: a.Action, Runbook: a.runbook()},
	}
	if a.For > 0 {
		r.For = promDuration(a.For)
	}
	return r
}

// The file, as Prometheus reads it.
type (
	ruleFile struct {
		Groups []ruleGroup `yaml:"groups"`
	}
	ruleGroup struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	}
	rule struct {
		Alert       string     `yaml:"alert"`
		Expr        string     `yaml:"expr"`
		For         string     `yaml:"for,omitempty"`
		Labels      ruleLabels `yaml:"labels"`
		Annotations ruleTexts  `yaml:"annotations"`
	}
	ruleLabels struct {
		Severity Severity `yaml:"severity"`
		Service  string   `yaml:"service"`
	}
	ruleTexts struct {
		Summary string `yaml:"summary"`
		Action  string `yaml:"action"`
		Runbook string `yaml:"runbook"`
	}
)
