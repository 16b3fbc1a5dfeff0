package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/internal/metrics"
	"github.com/strongroom-kms/strongroom/internal/metrics/cloudhsm"
	"github.com/strongroom-kms/strongroom/keystore"
)

// hsm is one that serves a custom key store, and has all that there is to tell.
func hsm() metrics.HSM {
	m := keystore.Member{Store: "cks-1", Region: "us-east-1", Status: hsmpool.Status{
		HSMID: "hsm-a", ClusterID: "cluster-a", Profile: "softhsm", State: hsmpool.Ready, WorkerPID: 7,
		Sessions: 6, InFlight: 5, Waiting: 4, Restarts: 3, Places: 32,
		Figures: hsmpool.Figures{
			At: time.Unix(1, 0), SessionKeys: 2, TokenKeys: 40, OctetsIn: 1000, OctetsOut: 500, MaxSessions: 1024,
			Calls: []hsmpool.CallCount{
				{Function: "C_Encrypt", Mechanism: "CKM_AES_GCM", RV: uint32(ckr.OK), Count: 10, Took: 2 * time.Second},
				{Function: "C_Encrypt", Mechanism: "CKM_AES_GCM", RV: uint32(ckr.DeviceError), Count: 1, Took: time.Second},
				{Function: "C_GenerateRandom", RV: uint32(ckr.OK), Count: 3, Took: time.Millisecond},
			},
		},
	}}
	return metrics.HSM{HSM: cloudhsm.Read(m, map[string]float64{"HsmTemperature": 41.5}, cloudhsm.Service{Principals: 24, Channels: 9}),
		KeysLimit: 3300, TelemetryErrors: new(uint64(8))}
}

func registryOf(t testing.TB, all ...metrics.HSM) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(metrics.NewHSMs(func() []metrics.HSM { return all })); err != nil {
		t.Fatal(err)
	}
	return registry
}

func TestMetricsOfAnHSM(t *testing.T) {
	const ids, of = `cluster_id="cluster-a",hsm_id="hsm-a"`, `cluster_id="cluster-a",hsm_id="hsm-a",store="cks-1"`
	text := scrapeOf(t, registryOf(t, hsm()))
	for _, line := range []string{
		`cloudhsm_hsm_unhealthy{` + ids + `,region="us-east-1",source="worker"} 0`,
		`cloudhsm_hsm_temperature_celsius{` + ids + `,region="us-east-1",source="operator"} 41.5`,
		`cloudhsm_hsm_keys_session_occupied{` + ids + `,region="us-east-1",source="worker"} 2`,
		`cloudhsm_hsm_keys_token_occupied{` + ids + `,region="us-east-1",source="worker"} 40`,
		`cloudhsm_hsm_ssl_ctxs_occupied{` + ids + `,region="us-east-1",source="emulated"} 9`,
		`cloudhsm_hsm_session_count{` + ids + `,region="us-east-1",source="worker"} 6`,
		`cloudhsm_hsm_users_available{` + ids + `,region="us-east-1",source="emulated"} 1000`,
		`cloudhsm_hsm_users_max{` + ids + `,region="us-east-1",source="emulated"} 1024`,
		`cloudhsm_interface_eth2_octets_input_total{` + ids + `,region="us-east-1",source="worker"} 1000`,
		`cloudhsm_interface_eth2_octets_output_total{` + ids + `,region="us-east-1",source="worker"} 500`,
		`strongroom_hsm_state{` + of[:len(of)-len(`,store="cks-1"`)] + `,state="ready",store="cks-1"} 1`,
		`strongroom_hsm_state{` + of[:len(of)-len(`,store="cks-1"`)] + `,state="stopped",store="cks-1"} 0`,
		`strongroom_hsm_sessions{` + of + `} 6`,
		`strongroom_hsm_sessions_limit{` + of + `} 1024`,
		`strongroom_hsm_keys_limit{` + of + `} 3300`,
		`strongroom_hsm_in_flight{` + of + `} 5`,
		`strongroom_hsm_waiting{` + of + `} 4`,
		`strongroom_hsm_restarts_total{` + of + `} 3`,
		`strongroom_hsm_places{` + of + `} 32`,
		`strongroom_hsm_breaker_open{` + of + `} 0`,
		`strongroom_hsm_withdrawn{` + of + `} 0`,
		`strongroom_hsm_pin_state{cluster_id="cluster-a",hsm_id="hsm-a",state="unknown",store="cks-1"} 1`,
		`strongroom_hsm_telemetry_errors_total{` + of + `} 8`,
		`strongroom_hsm_calls_total{cluster_id="cluster-a",function="C_Encrypt",hsm_id="hsm-a",mechanism="CKM_AES_GCM",rv="CKR_OK",store="cks-1"} 10`,
		`strongroom_hsm_calls_total{cluster_id="cluster-a",function="C_Encrypt",hsm_id="hsm-a",mechanism="CKM_AES_GCM",rv="CKR_DEVICE_ERROR",store="cks-1"} 1`,
		`strongroom_hsm_call_duration_seconds_total{cluster_id="cluster-a",function="C_Encrypt",hsm_id="hsm-a",mechanism="CKM_AES_GCM",store="cks-1"} 3`,
		`strongroom_hsm_call_duration_seconds_total{cluster_id="cluster-a",function="C_GenerateRandom",hsm_id="hsm-a",mechanism="",store="cks-1"} 0.001`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	for _, p := range problems {
		if err != nil || p.Metric != "cloudhsm_hsm_session_count" { // whose name is AWS's
			t.Errorf("%s: %s: %v", p.Metric, p.Text, err)
		}
	}
}

func scrapeOf(t testing.TB, g prometheus.Gatherer) string {
	t.Helper()
	answer := httptest.NewRecorder()
	metrics.NewHandler(g, func() error { return nil }).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

// What nobody knows is not there.
func TestMetricsThatNobodyKnows(t *testing.T) {
	m := keystore.Member{Status: hsmpool.Status{HSMID: "hsm-a", ClusterID: "cluster-a", Profile: "pkcs11", State: hsmpool.Starting}}
	families := parse(t, scrapeOf(t, registryOf(t, metrics.HSM{HSM: cloudhsm.Read(m, nil, cloudhsm.Service{})})))
	for name, want := range map[string]int{
		"cloudhsm_hsm_unhealthy": 1, "cloudhsm_hsm_temperature_celsius": 0, "cloudhsm_hsm_session_count": 0, "cloudhsm_hsm_users_max": 0,
		"strongroom_hsm_sessions_limit": 0, "strongroom_hsm_keys_limit": 0, "strongroom_hsm_telemetry_errors_total": 0, "strongroom_hsm_calls_total": 0,
	} {
		if n := len(families[name].GetMetric()); n != want {
			t.Errorf("%s: %d of them, want %d", name, n, want)
		}
	}
}
