package keystore

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// TestWornOutMaterialIsReplacedAndStillDecrypts encrypts past three quarters of
// a small limit.
func TestWornOutMaterialIsReplacedAndStillDecrypts(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.gcmLimit = 40
	s.initToken()
	s.start()
	defer s.stop()
	key := s.createKey()
	var blobs [][]byte
	encrypt := func() string {
		res, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("kept")})
		s.must(err)
		blobs = append(blobs, res.CiphertextBlob)
		return string(res.CiphertextBlob[17:33])
	}
	first := encrypt()
	for range 29 {
		encrypt()
	}
	s.awaitServiceEvent("RotateKey", key.GetArn())
	if encrypt() == first {
		t.Error("the worn-out material still encrypts")
	}
	for i, b := range blobs {
		res, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: b})
		if err != nil || !bytes.Equal(res.Plaintext, []byte("kept")) {
			t.Fatalf("blob %d: %v", i, err)
		}
	}
}

// awaitServiceEvent reads the trail until it has a service event of the key.
func (s *service) awaitServiceEvent(name, arn string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for rec, err := range s.trail.Events(ctx, audit.Query{Follow: true}) {
		s.must(err)
		var e event
		s.must(json.Unmarshal(rec.JSON, &e))
		if e.EventName == name && e.EventType == audit.EventTypeService && e.Resources[0].ARN == arn && e.ErrorCode == "" {
			return
		}
	}
	s.t.Fatalf("there is no %s event of %s", name, arn)
}
