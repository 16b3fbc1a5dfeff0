package config_test

import (
	"strings"
	"testing"
	"time"
)

func TestGoodOpenTelemetrySections(t *testing.T) {
	for name, section := range map[string]string{
		"least":   "opentelemetry: {" + otlp + "}",
		"all":     "opentelemetry: {" + otlp + ", headers_file: /h, ca: /ca, metrics_period: 10s, traces: 0.05}",
		"by HTTP": "opentelemetry: {endpoint: 'http://127.0.0.1:4318/in', protocol: http, metrics_period: 0s, traces: 1}",
	} {
		if _, err := load(t, minimal+section+"\n"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := load(t, minimal+"opentelemetry: {"+otlp+"}\n")
	if err != nil || c.OpenTelemetry.MetricsPeriod != time.Minute || c.OpenTelemetry.Traces != 0 {
		t.Errorf("the defaults are %+v, %v", c.OpenTelemetry, err)
	}
}

func TestFaultsOfTheOpenTelemetrySection(t *testing.T) {
	for name, test := range map[string]struct{ section, want string }{
		"empty":              {"{}", `opentelemetry.endpoint: is missing`},
		"plain":              {"{endpoint: 'http://collector.example:4317'}", `opentelemetry.endpoint: http:// is for a loopback address only`},
		"path in gRPC":       {"{endpoint: 'https://collector.example/in'}", `opentelemetry.endpoint: "https://collector.example/in" has a path, which gRPC has not`},
		"protocol":           {"{" + otlp + ", protocol: json}", `opentelemetry.protocol: "json" is not one of grpc, http`},
		"relative headers":   {"{" + otlp + ", headers_file: h}", `opentelemetry.headers_file: "h" is not an absolute path`},
		"relative CA":        {"{" + otlp + ", ca: ca.pem}", `opentelemetry.ca: "ca.pem" is not an absolute path`},
		"short period":       {"{" + otlp + ", metrics_period: 10ms}", `opentelemetry.metrics_period: 10ms is not between 1s and 1h0m0s`},
		"too many traces":    {"{" + otlp + ", traces: 1.5}", `opentelemetry.traces: 1.5 is not between 0 and 1`},
		"a word for traces":  {"{" + otlp + ", traces: half}", `opentelemetry.traces: "half" is not a number`},
		"negative":           {"{" + otlp + ", traces: -1}", `opentelemetry.traces: -1 is not between 0 and 1`},
		"not a number":       {"{" + otlp + ", traces: .nan}", `opentelemetry.traces: NaN is not between 0 and 1`},
		"of another section": {"{" + otlp + ", required: true}", `unknown key "required"`},
	} {
		_, err := load(t, minimal+"opentelemetry: "+test.section+"\n")
		if err == nil || !strings.Contains(err.Error(), ":14: "+test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}
