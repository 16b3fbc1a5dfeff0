package keystore

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func (s *service) describeHSM(capabilities bool) *operatorv1.HsmDescription {
	s.t.Helper()
	res, err := s.Operator().DescribeHsms(s.as(auditor), &operatorv1.DescribeHsmsRequest{Capabilities: &capabilities})
	s.must(err)
	return res.GetHsms()[0]
}

// TestCapabilitiesOfSoftHSM reads what SoftHSM does, does with the worker's help, and
// does not do at all.
func TestCapabilitiesOfSoftHSM(t *testing.T) {
	t.Parallel()
	s := startService(t)
	can := map[string]*operatorv1.HsmCapability{}
	for _, c := range s.describeHSM(true).GetCapabilities() {
		can[strings.Join([]string{c.GetKeyType(), c.GetUse(), c.GetAlgorithm()}, " ")] = c
	}
	for what, want := range map[string]struct{ mechanism, means, missing string }{
		"AES-256 encrypt AES-GCM":               {mechanism: "CKM_AES_GCM", means: "token"},
		"HMAC-256 mac HMAC-SHA-256":             {mechanism: "CKM_SHA256_HMAC", means: "token"},
		"RSA-2048 sign RSA-PSS-SHA-256":         {mechanism: "CKM_RSA_PKCS_PSS", means: "token"},
		"RSA-4096 encrypt RSA-OAEP-SHA-1":       {mechanism: "CKM_RSA_PKCS_OAEP", means: "token"},
		"RSA-4096 encrypt RSA-OAEP-SHA-256":     {mechanism: "CKM_RSA_PKCS_OAEP", means: "token and worker"},
		"RSA-3072 unwrap WRAP-RSA-OAEP-SHA-1":   {mechanism: "CKM_RSA_PKCS_OAEP", means: "token"},
		"RSA-3072 unwrap WRAP-RSA-OAEP-SHA-256": {mechanism: "CKM_RSA_PKCS_OAEP", means: "worker memory"},
		"P-256 agree ECDH":                      {mechanism: "CKM_ECDH1_DERIVE", means: "token"},
		"P-256  KEY-PAIR":                       {mechanism: "CKM_AES_KEY_WRAP_PAD", means: "token and worker"},
		"Ed25519  KEY-PAIR":                     {mechanism: "CKM_AES_KEY_WRAP_PAD", missing: "CKR_KEY_NOT_WRAPPABLE"},
	} {
		got := can[what]
		if got.GetMechanism() != want.mechanism || got.GetMeans() != want.means ||
			(got.GetMissing() == "") != (want.missing == "") || !strings.Contains(got.GetMissing(), want.missing) {
			t.Errorf("%s: %v, want %+v", what, got, want)
		}
	}
}

// TestAnHSMThatCannotBeAskedIsDescribed takes the token away: its capabilities are
// not known, its state is.
func TestAnHSMThatCannotBeAskedIsDescribed(t *testing.T) {
	t.Parallel()
	s := startService(t)
	before := s.describeHSM(false)
	if len(before.GetCapabilities()) > 0 {
		t.Errorf("capabilities that nobody asked for: %v", before.GetCapabilities())
	}
	s.must(os.Rename(s.path("tokens"), s.path("elsewhere")))
	s.must(syscall.Kill(int(before.GetWorkerPid()), syscall.SIGKILL))
	for deadline := time.Now().Add(20 * time.Second); s.pool.Health() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the pool does not notice that its worker is gone")
		}
	}
	if now := s.describeHSM(true); now.GetState() == operatorv1.HsmState_HSM_STATE_READY || len(now.GetCapabilities()) > 0 {
		t.Errorf("described as %v", now)
	}
}
