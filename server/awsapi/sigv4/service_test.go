package sigv4_test

import "testing"

// One access key signs for several services, and what it has signed for one is refused
// by the others, whatever was verified before.
func TestASignatureIsForOneService(t *testing.T) {
	v := newVerifier(newKeys(), signedAt)
	services := []string{"kms", "cloudtrail", "logs", "cloudhsm"}
	for range 2 { // with the signing keys of all in the cache, the second time
		for _, signedFor := range services {
			for _, sentTo := range services {
				s, r := usual(), newRequest(nil)
				s.service = signedFor
				s.sign(t, r, nil)
				_, err := v.Verify(r, sentTo, reading(nil))
				if signedFor == sentTo {
					if err != nil {
						t.Errorf("%s: %v", sentTo, err)
					}
					continue
				}
				if got := refusal(t, err); got.Message != "Credential should be scoped to correct service: '"+sentTo+"'. " {
					t.Errorf("signed for %s, sent to %s: %v", signedFor, sentTo, got)
				}
			}
		}
	}
}
