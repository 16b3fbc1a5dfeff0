package alarms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	"github.com/strongroom-kms/strongroom/internal/alarm"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// unserved are metrics that no server with SoftHSM has.
func unserved() map[string]string {
	return map[string]string{
		"strongroom_hsm_sessions_limit": "SoftHSM allows any number of sessions",
	}
}

// TestWhatIsAskedForIsServed has a server with all that metrics are of: everything that an alarm
// or the dashboard asks for is there.
func TestWhatIsAskedForIsServed(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{
		HSM: []string{"hsm_id: hsm-aaaaaaaaaaa", "keys_limit: 1000", `telemetry: {command: [/bin/echo, '{"HsmTemperature": 41.5}']}`},
	}, "audit: {otlp: {endpoint: 'http://127.0.0.1:1'}}\n")
	first, err := site.Start(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	makeKeys(t, dial(t, site, first))
	stop(t, first.Process) // which signs a digest

	server := start(t, site)
	client := dial(t, site, server)
	key, err := client.NewKey(within(t, 10*time.Second))
	if err == nil {
		err = harness.RoundTrip(within(t, 10*time.Second), client, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	awaitServed(t, "http://"+metricsAddress(t, server)+"/metrics")
}

// awaitServed waits until all is served that is asked for: telemetry is read a little later.
func awaitServed(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		served := namesServed(t, url)
		missing := slices.DeleteFunc(asked(t), func(name string) bool { return served[name] || unserved()[name] != "" })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("alarms or the dashboard ask for what is not served: %v", missing)
		}
	}
}

var (
	namePattern   = regexp.MustCompile(`\b(?:strongroom|cloudhsm)_[a-z0-9_]+`)
	servedPattern = regexp.MustCompile(`(?m)^[a-z0-9_]+`)
)

// asked are the names of all metrics in queries of the dashboard and conditions of alarms.
func asked(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	note := func(query string) {
		for _, name := range namePattern.FindAllString(query, -1) {
			names[name] = true
		}
	}
	for _, q := range readDashboard(t).queries() {
		note(q)
	}
	for _, a := range alarm.Table(alarm.DefaultSettings()) {
		note(a.When.PromQL())
	}
	return slices.Sorted(maps.Keys(names))
}

func namesServed(t *testing.T, url string) map[string]bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, name := range servedPattern.FindAllString(string(text), -1) {
		names[name] = true
	}
	return names
}

// makeKeys makes a key that is to be deleted, and one whose material expires.
func makeKeys(t *testing.T, client *harness.Client) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	key, err := client.NewKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.KMS.ScheduleKeyDeletion(ctx, &kmsv1.ScheduleKeyDeletionRequest{KeyId: &key}); err != nil {
		t.Fatal(err)
	}
	made, err := client.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{Origin: kmsv1.OriginType_ORIGIN_TYPE_EXTERNAL.Enum()})
	if err != nil {
		t.Fatal(err)
	}
	parameters, err := client.KMS.GetParametersForImport(ctx, &kmsv1.GetParametersForImportRequest{
		KeyId:             made.KeyMetadata.KeyId,
		WrappingAlgorithm: kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256.Enum(),
		WrappingKeySpec:   kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.KMS.ImportKeyMaterial(ctx, &kmsv1.ImportKeyMaterialRequest{
		KeyId: made.KeyMetadata.KeyId, ImportToken: parameters.GetImportToken(),
		EncryptedKeyMaterial: wrapped(t, parameters.GetPublicKey()),
		ExpirationModel:      kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_EXPIRES.Enum(),
		ValidTo:              timestamppb.New(time.Now().Add(time.Hour)),
	}); err != nil {
		t.Fatal(err)
	}
}

// wrapped is new key material, for the HSM's eyes only.
func wrapped(t *testing.T, spki []byte) []byte {
	t.Helper()
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	material := make([]byte, 32)
	_, _ = rand.Read(material) // never fails
	by, ok := parsed.(*rsa.PublicKey)
	if !ok {
		t.Fatalf("the wrapping key is a %T", parsed)
	}
	ciphertext, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, by, material, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}
