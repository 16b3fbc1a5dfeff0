package console

import (
	"fmt"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// A key store is there once it is made, with its state and what that means.
func TestKeyStores(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{Clusters: []harness.Cluster{{ID: clusterID}}}, "").start(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	visit(page, "Key stores")
	page.AwaitText("#no-stores", "strongroom key-store create")

	store := s.connectStore(t)
	page.Reload()
	card := fmt.Sprintf("[data-store=%q]", store)
	page.AwaitText(card+" .state", "^CONNECTED$")
	key := s.newKey(t, "alias/in-the-store", &kmsv1.CreateKeyRequest{
		CustomKeyStoreId: &store, Origin: kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM.Enum(),
	})
	page.Go("/keys/" + keyID(key))
	page.AwaitText("#key", store)

	need[*kmsv1.DisconnectCustomKeyStoreResponse](t)(s.client.KMS.DisconnectCustomKeyStore(t.Context(),
		&kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: &store}))
	s.awaitStore(t, store, kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_DISCONNECTED)
	visit(page, "Key stores")
	page.AwaitText(card, "DISCONNECTED[^]*What to do:[^]*strongroom key-store connect")
	page.Go("/keys/" + keyID(key))
	page.AwaitText("#key .state", "^Unavailable$")
}
