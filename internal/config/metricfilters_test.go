package config_test

import (
	"strings"
	"testing"
)

func TestMetricFilters(t *testing.T) {
	filters := func(texts ...string) string { return "metric_filters: [" + strings.Join(texts, ", ") + "]" }
	const good = `{name: policy-changed, trail: events, when: 'event.eventName == "PutKeyPolicy"'}`
	for name, test := range map[string]struct{ section, want string }{
		"two":         {filters(good, `{name: failed-login, trail: hsm_log, when: 'entry.rv > 3'}`), ""},
		"none":        {"metric_filters: []", ""},
		"same name":   {filters(good, good), `metric_filters[1].name: "policy-changed" stands at metric_filters[0].name already`},
		"bad name":    {filters(`{name: A b, trail: events, when: 'true'}`), `metric_filters[0].name: "A b" is not 1 to 63 of a-z`},
		"no name":     {filters(`{trail: events, when: 'true'}`), `metric_filters[0].name: is missing`},
		"bad trail":   {filters(`{name: a, trail: log, when: 'true'}`), `metric_filters[0].trail: "log" is not one of events, hsm_log`},
		"no when":     {filters(`{name: a, trail: events}`), `metric_filters[0].when: is missing`},
		"bad CEL":     {filters(good, `{name: a, trail: events, when: 'event.eventName =='}`), `metric_filters[1].when: line 1, column 19 (its end)`},
		"other trail": {filters(`{name: a, trail: hsm_log, when: 'event.eventName == "a"'}`), `metric_filters[0].when: line 1, column 1 ("event.eventName == \""): undeclared reference to 'event'`},
		"no bool":     {filters(`{name: a, trail: events, when: '1'}`), `metric_filters[0].when: the condition is of type int`},
		"too many":    {filters(strings.Repeat(good+", ", 65)), `metric_filters: has 65 filters, more than 64`},
	} {
		_, err := load(t, minimal+test.section+"\n")
		if test.want == "" && err == nil {
			continue
		}
		if test.want == "" || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
