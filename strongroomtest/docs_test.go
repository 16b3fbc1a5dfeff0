package strongroomtest_test

import (
	"testing"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// The test that docs/testing.md shows.
func TestOrdersAreSealed(t *testing.T) {
	server := strongroomtest.Start(t)
	key := server.NewKey()
	app := server.Client("app") // may use keys, not create them

	_, err := app.KMS.Encrypt(t.Context(), &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("order 7")})
	if err != nil {
		t.Fatal(err)
	}

	events := server.Events()
	last := events[len(events)-1]
	if last.EventName != "Encrypt" || last.UserIdentity.ARN != server.ARN("app") {
		t.Errorf("the last event is %s", last.JSON)
	}
}
