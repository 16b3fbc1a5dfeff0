package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

const watchedHSM = "hsm-aaaaaaaaaaa"

// watched is a server with one HSM, whose library can be broken, and metrics.
type watched struct {
	t         *testing.T
	site      *harness.Site
	faults    *faultp11.Library
	server    *harness.Server
	client    *harness.Client
	telemetry string // the file of the operator's source
	url       string // of the metrics
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, faults: newFaults(t), telemetry: filepath.Join(t.TempDir(), "telemetry.json")}
	w.site = newSite(t, harness.Options{
		Library: w.faults.Path(), WorkerEnv: environment(w.faults), HangTimeout: callTimeout,
		HSM: []string{"hsm_id: " + watchedHSM, "sessions: 4", fmt.Sprintf("telemetry: {file: %q, every: 1s}", w.telemetry)},
	})
	config, err := os.OpenFile(w.site.Config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.WriteString("metrics: {listen: 127.0.0.1:0}\n")
	if err := errors.Join(err, config.Close()); err != nil {
		t.Fatal(err)
	}
	w.server = start(t, w.site)
	w.client = dial(t, w.site, w.server, harness.Admin)
	line, err := w.server.Stderr.Await(within(t, 10*time.Second), w.server.Exited(), "metrics are served")
	if err != nil {
		t.Fatal(err)
	}
	w.url = regexp.MustCompile(`http://\S+/metrics`).FindString(line)
	return w
}

// The ten metrics, as Prometheus knows them.
const (
	unhealthy      = "cloudhsm_hsm_unhealthy"
	temperature    = "cloudhsm_hsm_temperature_celsius"
	keysSession    = "cloudhsm_hsm_keys_session_occupied"
	keysToken      = "cloudhsm_hsm_keys_token_occupied"
	sslContexts    = "cloudhsm_hsm_ssl_ctxs_occupied"
	sessionCount   = "cloudhsm_hsm_session_count"
	usersAvailable = "cloudhsm_hsm_users_available"
	usersMax       = "cloudhsm_hsm_users_max"
	octetsIn       = "cloudhsm_interface_eth2_octets_input_total"
	octetsOut      = "cloudhsm_interface_eth2_octets_output_total"
)

// scrape returns the ten, as far as they are there, and whoever told each.
func (w *watched) scrape() (values map[string]float64, sources map[string]string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(within(w.t, 5*time.Second), http.MethodGet, w.url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		w.t.Fatal(err)
	}
	values, sources = map[string]float64{}, map[string]string{}
	line := regexp.MustCompile(`(?m)^(cloudhsm_\w+)\{.*hsm_id="` + watchedHSM + `".*source="(\w+)"\} (\S+)$`)
	for _, found := range line.FindAllStringSubmatch(string(text), -1) {
		sources[found[1]] = found[2]
		if values[found[1]], err = strconv.ParseFloat(found[3], 64); err != nil {
			w.t.Fatal(err)
		}
	}
	return values, sources
}

// await scrapes until a metric is as wanted, and returns what it was told by; "": it is absent.
func (w *watched) await(name, words string, wanted func(value float64, there bool) bool) string {
	w.t.Helper()
	poll, patience := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer poll.Stop()
	for {
		values, sources := w.scrape()
		v, there := values[name]
		if wanted(v, there) {
			w.t.Logf("%s: %v (%s), %s", name, v, sources[name], words)
			return sources[name]
		}
		select {
		case <-poll.C:
		case <-patience:
			w.t.Fatalf("%s is %v (there: %t), and not %s", name, v, there, words)
		}
	}
}

// expect awaits a value from a source.
func (w *watched) expect(name, source string, want float64) {
	w.t.Helper()
	is := func(v float64, there bool) bool { return there && v == want }
	if told := w.await(name, fmt.Sprint("is ", want), is); told != source {
		w.t.Errorf("%s is told by %q, want %q", name, told, source)
	}
}

// expectMore awaits that a value of a source is beyond what it was.
func (w *watched) expectMore(name, source string, than float64) {
	w.t.Helper()
	more := func(v float64, there bool) bool { return there && v > than }
	if told := w.await(name, fmt.Sprint("is more than ", than), more); told != source {
		w.t.Errorf("%s is told by %q, want %q", name, told, source)
	}
}

func (w *watched) encrypt(key string) error {
	_, err := w.client.KMS.Encrypt(within(w.t, 10*time.Second), &kmsv1.EncryptRequest{KeyId: &key, Plaintext: make([]byte, 4096)})
	return err
}

func (w *watched) hsm() *operatorv1.HsmDescription {
	w.t.Helper()
	return describeMembers(w.t, w.client)[0]
}

// loseWorker ends the HSM's worker.
func (w *watched) loseWorker() { kill(w.t, int(w.hsm().GetWorkerPid()), syscall.SIGKILL) }

// Each of CloudHSM's ten metrics changes because of what is done here.
func TestTheTenMetrics(t *testing.T) {
	w := newWatched(t)
	w.await(keysToken, "is there", func(_ float64, there bool) bool { return there })
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"of what is done", w.testUse},
		{"of session keys", w.testSessionKeys},
		{"of who comes", w.testUsers},
		{"of what operators know", w.testTelemetry},
		{"of the worker", w.testWorker},
		{"in the history", w.testHistory},
		{"without a call of the HSM", w.testNoCalls},
	} {
		t.Run(part.name, func(t *testing.T) {
			w.t = t
			part.test(t)
		})
	}
}

func (w *watched) testUse(t *testing.T) {
	before, _ := w.scrape()
	key := newKey(t, w.client)
	w.expect(keysToken, "worker", before[keysToken]+1)
	if err := w.encrypt(key); err != nil {
		t.Fatal(err)
	}
	w.expectMore(octetsIn, "worker", before[octetsIn]+4096)
	w.expectMore(octetsOut, "worker", before[octetsOut]+4096)
}

// testSessionKeys has a data key pair made, which is on the HSM until it is wrapped out. That takes
// longer than it is until the worker reports again.
func (w *watched) testSessionKeys(t *testing.T) {
	before, _ := w.scrape()
	key := newKey(t, w.client)
	set(t, w.faults, faultp11.Delay("C_WrapKey", callTimeout*3/4))
	made := make(chan error, 1)
	go func() {
		_, err := w.client.KMS.GenerateDataKeyPair(within(t, 20*time.Second), &kmsv1.GenerateDataKeyPairRequest{KeyId: &key, KeyPairSpec: kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P256.Enum()})
		made <- err
	}()
	w.expectMore(keysSession, "worker", before[keysSession])
	if err := <-made; err != nil {
		t.Error(err)
	}
	set(t, w.faults)
	w.expect(keysSession, "worker", before[keysSession])
}

func (w *watched) testUsers(t *testing.T) {
	before, _ := w.scrape()
	arn := harness.ARN("newcomer")
	_, err := w.client.Operator.PutPrincipal(within(t, 10*time.Second), &operatorv1.PutPrincipalRequest{Arn: &arn, Policies: []string{"user"}})
	if err != nil {
		t.Fatal(err)
	}
	w.expect(usersAvailable, "emulated", before[usersAvailable]-1)
	w.expect(usersMax, "emulated", 1024)

	second, err := w.site.Dial(w.server.Address, harness.User)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.KMS.ListKeys(within(t, 10*time.Second), &kmsv1.ListKeysRequest{}); err != nil {
		t.Fatal(err)
	}
	w.expect(sslContexts, "emulated", before[sslContexts]+1)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	w.expect(sslContexts, "emulated", before[sslContexts])
}

// tell has the operator's source say something, now.
func (w *watched) tell(values string) {
	w.t.Helper()
	if err := os.WriteFile(w.telemetry, []byte(values), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// testTelemetry has the HSM become too hot, which takes it out of service, and cool down.
func (w *watched) testTelemetry(t *testing.T) {
	if values, _ := w.scrape(); values[temperature] != 0 {
		t.Errorf("before anybody has told it the temperature is %v", values[temperature])
	}
	key := newKey(t, w.client)
	w.tell(`{"HsmTemperature": 41.5, "HsmUsersMax": 250, "HsmHumidity": 3}`)
	w.expect(temperature, "operator", 41.5)
	w.expect(usersMax, "operator", 250)
	if _, err := w.server.Stderr.Await(within(t, 10*time.Second), w.server.Exited(), `"HsmHumidity\": there is no such metric`); err != nil {
		t.Error(err)
	}
	w.tell(`{"HsmTemperature": 110}`)
	w.expect(unhealthy, "worker", 1)
	const reason = "its temperature is 110 °C, and its limit 110 °C"
	if h := w.hsm(); h.GetState() != operatorv1.HsmState_HSM_STATE_SUSPENDED || !strings.Contains(h.GetReason(), reason) {
		t.Errorf("the HSM is %v: %q, want %q", h.GetState(), h.GetReason(), reason)
	}
	if err := w.encrypt(key); err == nil {
		t.Error("an HSM that is too hot was used")
	}
	w.tell(`{"HsmTemperature": 105}`)
	w.expect(unhealthy, "worker", 0)
	if err := w.encrypt(key); err != nil {
		t.Errorf("an HSM that has cooled down: %v", err)
	}
	if err := os.Remove(w.telemetry); err != nil {
		t.Fatal(err)
	}
	w.await(temperature, "is absent, because nobody has told it for three periods", func(_ float64, there bool) bool { return !there })
}

// testWorker has the token give out fewer sessions, and then none.
func (w *watched) testWorker(t *testing.T) {
	before, _ := w.scrape()
	set(t, w.faults, faultp11.MaxSessions(int(before[sessionCount])-2, ckr.SessionCount))
	w.loseWorker()
	w.expect(sessionCount, "worker", before[sessionCount]-2)
	set(t, w.faults, faultp11.Fail("C_Initialize", ckr.DeviceError))
	w.loseWorker()
	w.expect(unhealthy, "worker", 1)
	values, _ := w.scrape()
	for _, name := range []string{sessionCount, keysToken, keysSession} {
		if v, there := values[name]; there {
			t.Errorf("without a worker %s is %v", name, v)
		}
	}
	set(t, w.faults)
	w.expect(unhealthy, "worker", 0)
	w.expect(sessionCount, "worker", before[sessionCount])
}

// testHistory has the server tell what it has kept of all that.
func (w *watched) testHistory(t *testing.T) {
	stream, err := w.client.Operator.StreamMetrics(within(t, 30*time.Second), &operatorv1.StreamMetricsRequest{HistorySeconds: new(int32(3600))})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]*operatorv1.MetricPoint{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if s := m.GetHistory().GetSeries(); len(s.GetDimensions()) == 2 || s.GetNamespace() == "Strongroom" {
			kept[s.GetName()] = m.GetHistory().GetPoints()[0]
		}
	}
	for _, name := range []string{
		"HsmUnhealthy", "HsmTemperature", "HsmKeysSessionOccupied", "HsmKeysTokenOccupied", "HsmSslCtxsOccupied", "HsmSessionCount", "HsmUsersAvailable",
		"HsmUsersMax", "InterfaceEth2OctetsInput", "InterfaceEth2OctetsOutput", "Requests", "JournalHealthy",
	} {
		if kept[name].GetSamples() == 0 {
			t.Errorf("the history has no %s", name)
		}
	}
}

// testNoCalls scrapes while the worker can answer nothing.
func (w *watched) testNoCalls(t *testing.T) {
	worker := int(w.hsm().GetWorkerPid())
	kill(t, worker, syscall.SIGSTOP)
	defer kill(t, worker, syscall.SIGCONT)
	begun := time.Now()
	for range 20 {
		if values, _ := w.scrape(); values[unhealthy] != 0 || values[octetsIn] == 0 {
			t.Fatalf("the metrics are %v", values)
		}
	}
	if took := time.Since(begun); took > callTimeout {
		t.Errorf("20 scrapes took %v while the worker was frozen", took)
	}
}
