package keystore

import (
	"os/exec"
	"strings"
	"testing"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// setPIN has the officer of a cluster's token set the user's PIN.
func (c *testCluster) setPIN(pin string) {
	c.t.Helper()
	tool, err := exec.LookPath("pkcs11-tool")
	if err != nil {
		c.t.Skip("pkcs11-tool is not installed; `make test` installs it (package opensc)")
	}
	cmd := exec.Command(tool, "--module", clusterLibrary, "--token-label", c.id[:16],
		"--login", "--login-type", "so", "--so-pin", "so-"+clusterPIN, "--init-pin", "--new-pin", pin)
	cmd.Env = c.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("setting the PIN: %v\n%s", err, out)
	}
}

// loginsOf counts the logins to the cluster's tokens so far.
func (s *service) loginsOf(c *testCluster) (n int) {
	s.t.Helper()
	for _, e := range s.hsmLog() {
		if e.Function == "C_Login" && e.UserName == "user" {
			n++
		}
	}
	return n
}

// A password that was refused is not tried again, until an operator says that the HSM has
// been given it.
func TestAStoreWhosePasswordIsSetAtTheHSM(t *testing.T) {
	s, clusters := startWithClusters(t, clusterID)
	cluster, id := clusters[0], ""
	req := createRequest(cluster)
	req.KeyStorePassword = new("set later at the HSM")
	res, err := s.CreateCustomKeyStore(s.as(admin), req)
	s.must(err)
	id = res.GetCustomKeyStoreId()
	fails := func(when string, logins int) {
		t.Helper()
		before := s.loginsOf(cluster)
		s.connectStore(id)
		if e := s.awaitState(id, failed); e.GetConnectionErrorCode() != kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS {
			t.Errorf("%s: the error code is %v", when, e.GetConnectionErrorCode())
		}
		if got := s.loginsOf(cluster) - before; got != logins {
			t.Errorf("%s: %d logins, want %d", when, got, logins)
		}
		s.disconnectStore(id)
	}
	fails("a wrong password", 1)
	fails("the same again", 0)
	cluster.setPIN("set later at the HSM")
	fails("nobody has said that it is right now", 0)

	_, err = s.Operator().CheckHsmUnlock(s.as(admin), &operatorv1.CheckHsmUnlockRequest{CustomKeyStoreId: &id, HsmId: new("hsm-anybody")})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "Leave out the id of the HSM.")
	fails("one HSM alone was asked for", 0)
	answer, err := s.Operator().CheckHsmUnlock(s.as(admin), &operatorv1.CheckHsmUnlockRequest{CustomKeyStoreId: &id})
	s.must(err)
	if n := len(answer.GetChecks()); n != 1 {
		t.Fatalf("%d HSMs were looked at", n)
	}
	if c := answer.GetChecks()[0]; c.GetStarted() || !strings.Contains(c.GetReason(), "connect it") || c.GetTokenLabel() != cluster.id[:16] {
		t.Errorf("the check: %v", c)
	}
	if e := s.lastEvent(); e.EventName != "CheckHsmUnlock" || e.RequestParameters["customKeyStoreId"] != id {
		t.Errorf("the event is %+v", e)
	}
	s.connectStore(id)
	s.awaitState(id, connected)
}

func TestAnUnlockCheckOfWhatIsNotThereOrNotStopped(t *testing.T) {
	s := startService(t)
	check := func(req *operatorv1.CheckHsmUnlockRequest) ([]*operatorv1.HsmUnlockCheck, error) {
		res, err := s.Operator().CheckHsmUnlock(s.as(admin), req)
		return res.GetChecks(), err
	}
	if checks, err := check(&operatorv1.CheckHsmUnlockRequest{}); err != nil || len(checks) != 0 {
		t.Errorf("no HSM is stopped: %v, %v", checks, err)
	}
	hsm := s.pool.Describe()[0].HSMID
	if checks, err := check(&operatorv1.CheckHsmUnlockRequest{HsmId: &hsm}); err != nil || len(checks) != 1 || checks[0].GetStarted() || checks[0].GetPinState() != "ok" || checks[0].GetReason() == "" {
		t.Errorf("an HSM that is ready: %v, %v", checks, err)
	}
	_, err := check(&operatorv1.CheckHsmUnlockRequest{HsmId: new("hsm-nobody")})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "There is no HSM hsm-nobody here.")
	_, err = check(&operatorv1.CheckHsmUnlockRequest{CustomKeyStoreId: new("cks-nobody")})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "There is no custom key store cks-nobody")
	_, err = s.Operator().CheckHsmUnlock(s.as(auditor), &operatorv1.CheckHsmUnlockRequest{})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED, "strongroom:CheckHsmUnlock")
}
