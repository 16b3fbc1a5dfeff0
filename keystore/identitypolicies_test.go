package keystore

import "testing"

// TestTheEventSaysWhoWasMade looks at the events of a principal and a policy.
func TestTheEventSaysWhoWasMade(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.putIdentityPolicy("lister", mayList)
	if e := s.lastEvent(); e.EventName != "PutIdentityPolicy" || e.RequestParameters["name"] != "lister" || e.RequestParameters["document"] != mayList || e.ReadOnly {
		t.Errorf("the event is %+v", e)
	}
	s.putPrincipal(bob, []string{bobsName}, "lister")
	e := s.lastEvent()
	made, _ := e.ResponseElements["principal"].(map[string]any)
	if e.EventName != "PutPrincipal" || e.RequestParameters["arn"] != bob || made["arn"] != bob || e.UserIdentity.ARN != admin {
		t.Errorf("the event is %+v", e)
	}
}
