package keystore

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const otherCluster = "cluster-zyxwvutsrqp"

// expectKind expects an error of a kind with the text in its message.
func expectKind(t *testing.T, err error, kind annotationsv1.ErrorKind, text string) {
	t.Helper()
	if e := AsError(err); err == nil || e.Kind != kind || !strings.Contains(e.Message, text) {
		t.Errorf("got %v, want %v: %s", err, kind, text)
	}
}

func TestAKeyInACustomKeyStoreIsMadeAndUsedInItsCluster(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	made := s.createKeyIn(store)
	want := &kmsv1.KeyMetadata{Origin: cloudHSM.Enum(), CustomKeyStoreId: &store, CloudHsmClusterId: new(clusterID), KeyState: enabled.Enum()}
	if made.GetOrigin() != want.GetOrigin() || made.GetCustomKeyStoreId() != store || made.GetCloudHsmClusterId() != clusterID || made.CurrentKeyMaterialId != nil || made.GetKeyState() != enabled {
		t.Errorf("the key is %v", made)
	}
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: made.Arn, Plaintext: []byte("in the cluster")})
	s.must(err)
	res, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
	s.must(err)
	if string(res.Plaintext) != "in the cluster" {
		t.Errorf("decrypted %q", res.Plaintext)
	}
	e := s.lastEvent()
	if e.AdditionalEventData["customKeyStoreId"] != store {
		t.Errorf("the event does not name the store: %v", e.AdditionalEventData)
	}
	id := s.materialOf(made)
	inCluster, err := s.hsms()[store].Objects(t.Context())
	s.must(err)
	if len(inCluster) != 1 || !bytes.Equal(inCluster[0].ID, id[:]) {
		t.Errorf("the cluster has %v, want the key's material alone", inCluster)
	}
	if list := s.orphanList(); len(list.TokenOrphans)+len(list.MetadataOrphans) != 0 {
		t.Errorf("there are orphans: %v", list)
	}
}

func (s *service) hsms() map[string]HSM { return s.regions.hsms() }

func TestReEncryptionMovesCiphertextsBetweenStores(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	there, here := s.createKeyIn(store), s.createKey()
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: here.Arn, Plaintext: []byte("moves")})
	s.must(err)
	blob := sealed.CiphertextBlob
	for _, to := range []*kmsv1.KeyMetadata{there, here} {
		moved, err := s.ReEncrypt(s.as(admin), &kmsv1.ReEncryptRequest{CiphertextBlob: blob, DestinationKeyId: to.Arn})
		s.must(err)
		blob = moved.CiphertextBlob
	}
	res, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: blob, KeyId: here.Arn})
	s.must(err)
	if string(res.Plaintext) != "moves" {
		t.Errorf("decrypted %q", res.Plaintext)
	}
}

func TestRandomBytesComeFromTheStoreThatIsNamed(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	res, err := s.GenerateRandom(s.as(app), &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(32)), CustomKeyStoreId: &store})
	s.must(err)
	hsm := s.hsms()[store].Describe()[0].HSMID
	if e := s.lastEvent(); len(res.Plaintext) != 32 || e.AdditionalEventData["hsmId"] != hsm {
		t.Errorf("%d bytes of %v, want 32 of %s", len(res.Plaintext), e.AdditionalEventData["hsmId"], hsm)
	}
	s.disconnectStore(store)
	_, err = s.GenerateRandom(s.as(app), &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(32)), CustomKeyStoreId: &store})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_INVALID_STATE, store)
}

func TestCreateCustomKeyStoreRefuses(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID, otherCluster)
	s.createStore(clusters[0])
	small := *clusters[1]
	small.id, small.minActive = "cluster-smallsmalls", 2
	s.clusters = append(s.clusters, &small)
	for name, test := range map[string]struct {
		change func(*kmsv1.CreateCustomKeyStoreRequest)
		kind   annotationsv1.ErrorKind
		text   string
	}{
		"the name of another store": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.CustomKeyStoreName = new(storeName) },
			annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NAME_IN_USE, storeName},
		"an unknown cluster": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.CloudHsmClusterId = new("cluster-22222222222") },
			annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_FOUND, "cluster-22222222222"},
		"the cluster of another store": {func(r *kmsv1.CreateCustomKeyStoreRequest) {
			r.CloudHsmClusterId, r.TrustAnchorCertificate = new(clusterID), new(clusters[0].anchor)
		}, annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_IN_USE, clusterID},
		"another trust anchor": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.TrustAnchorCertificate = new(clusters[0].anchor) },
			annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_TRUST_ANCHOR, otherCluster},
		"what is no certificate": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.TrustAnchorCertificate = new("certificate") },
			annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_TRUST_ANCHOR, otherCluster},
		"too few HSMs": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.CloudHsmClusterId = &small.id },
			annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION, "needs 2"},
		"no cluster": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.CloudHsmClusterId = nil },
			annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "CloudHsmClusterId"},
		"no password": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.KeyStorePassword = nil },
			annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "KeyStorePassword"},
		"a short password": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.KeyStorePassword = new("123456") },
			annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "keyStorePassword"},
		"an external key store": {func(r *kmsv1.CreateCustomKeyStoreRequest) {
			r.CustomKeyStoreType = kmsv1.CustomKeyStoreType_CUSTOM_KEY_STORE_TYPE_EXTERNAL_KEY_STORE.Enum()
		}, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "EXTERNAL_KEY_STORE"},
		"a proxy": {func(r *kmsv1.CreateCustomKeyStoreRequest) { r.XksProxyUriEndpoint = new("https://proxy.example") },
			annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "XksProxy"},
	} {
		t.Run(name, func(t *testing.T) {
			req := createRequest(clusters[1])
			req.CustomKeyStoreName = new("another")
			test.change(req)
			_, err := s.CreateCustomKeyStore(s.as(admin), req)
			expectKind(t, err, test.kind, test.text)
		})
	}
	if list := s.orphanList(); len(list.TokenOrphans) != 0 {
		t.Errorf("sealing keys were left behind: %v", list.TokenOrphans)
	}
}

func TestTheSameStoreIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	id := s.createStore(clusters[0])
	if again := s.createStore(clusters[0]); again != id {
		t.Errorf("got the store %s, want %s", again, id)
	}
	req := createRequest(clusters[0])
	req.KeyStorePassword = new("another password")
	_, err := s.CreateCustomKeyStore(s.as(admin), req)
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NAME_IN_USE, storeName)
	s.connectStore(id)
	_, err = s.CreateCustomKeyStore(s.as(admin), createRequest(clusters[0]))
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NAME_IN_USE, storeName)
}

// The table of states and operations of the AWS KMS Developer Guide, "Connect and
// disconnect a CloudHSM key store".
func TestConnectionStatesAllowWhatAWSAllows(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	good, cluster := clusterPIN, clusters[0]
	id := s.createStore(cluster)
	update := func(r *kmsv1.UpdateCustomKeyStoreRequest) error {
		r.CustomKeyStoreId = &id
		_, err := s.UpdateCustomKeyStore(s.as(admin), r)
		return err
	}
	operations := map[string]func() error{
		"connect": func() error {
			_, err := s.ConnectCustomKeyStore(s.as(admin), &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: &id})
			return err
		},
		"disconnect": func() error {
			_, err := s.DisconnectCustomKeyStore(s.as(admin), &kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: &id})
			return err
		},
		"password": func() error { return update(&kmsv1.UpdateCustomKeyStoreRequest{KeyStorePassword: &good}) },
		"name":     func() error { return update(&kmsv1.UpdateCustomKeyStoreRequest{NewCustomKeyStoreName: new(storeName)}) },
		"cluster":  func() error { return update(&kmsv1.UpdateCustomKeyStoreRequest{CloudHsmClusterId: new(clusterID)}) },
		"delete": func() error {
			_, err := s.DeleteCustomKeyStore(s.as(admin), &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: &id})
			return err
		},
		"create key": func() error { _, err := s.CreateKey(s.as(admin), inStoreRequest(id)); return err },
	}
	refuses := func(state kmsv1.ConnectionStateType, names ...string) {
		t.Helper()
		for _, name := range names {
			if e := AsError(operations[name]()); e.Kind != annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_INVALID_STATE {
				t.Errorf("%s of a store that is %v: %v", name, state, e)
			}
		}
	}
	allows := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if err := operations[name](); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	refuses(disconnected, "disconnect", "create key")
	allows("password", "name", "cluster", "connect")
	s.awaitState(id, connected)
	refuses(connected, "password", "cluster", "delete")
	allows("name", "connect", "create key", "disconnect")
	s.awaitState(id, disconnected)

	s.must(update(&kmsv1.UpdateCustomKeyStoreRequest{KeyStorePassword: new("wrong password")}))
	allows("connect")
	if e := s.awaitState(id, failed); e.GetConnectionErrorCode() != kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS {
		t.Errorf("the error code is %v", e.GetConnectionErrorCode())
	}
	refuses(failed, "connect", "password", "name", "cluster", "delete", "create key")
	allows("disconnect")
	if e := s.awaitState(id, disconnected); e.ConnectionErrorCode != nil {
		t.Errorf("a disconnected store has the error code %v", e.GetConnectionErrorCode())
	}
	_, err := s.DeleteCustomKeyStore(s.as(admin), &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: &id})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_HAS_CMKS, "still has KMS keys: 1.")
}

func TestADeletedStoreLeavesNothingInTheDefaultHSM(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	id := s.createStore(clusters[0])
	_, err := s.DeleteCustomKeyStore(s.as(admin), &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: &id})
	s.must(err)
	objects, err := s.pool.Objects(t.Context())
	s.must(err)
	if len(objects) != 0 {
		t.Errorf("the token has %v", objects)
	}
	_, err = s.DescribeCustomKeyStores(s.as(admin), &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: &id})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND, id)
	s.createStore(clusters[0]) // name and cluster are free again
}

// One login, whatever the failure: HSMs lock their users.
func TestAFailedConnectionIsToldAsAWSTellsIt(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	cluster := clusters[0]
	id := s.createStore(cluster)
	for _, test := range []struct {
		name  string
		spoil func()
		want  kmsv1.ConnectionErrorCodeType
	}{
		{"wrong password", func() {
			_, err := s.UpdateCustomKeyStore(s.as(admin), &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: &id, KeyStorePassword: new("wrong password")})
			s.must(err)
		}, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS},
		{"missing token", func() { cluster.moveTo(t.TempDir()) }, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_CLUSTER_NOT_FOUND},
		{"a cluster that is not in the configuration any more", func() { s.clusters = nil }, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_CLUSTER_NOT_FOUND},
	} {
		test.spoil()
		before := cluster.logins
		s.connectStore(id)
		if e := s.awaitState(id, failed); e.GetConnectionErrorCode() != test.want {
			t.Errorf("%s: the error code is %v, want %v", test.name, e.GetConnectionErrorCode(), test.want)
		}
		if n := cluster.logins - before; n > 1 {
			t.Errorf("%s: %d logins were tried", test.name, n)
		}
		s.disconnectStore(id)
	}
}

func TestKeysOfADisconnectedStoreAreUnavailable(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	made, doomed := s.createKeyIn(store), s.createKeyIn(store)
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: made.Arn, Plaintext: []byte("x")})
	s.must(err)
	_, err = s.ScheduleKeyDeletion(s.as(admin), &kmsv1.ScheduleKeyDeletionRequest{KeyId: doomed.Arn})
	s.must(err)
	s.disconnectStore(store)
	s.awaitState(store, disconnected)

	state := func(k *kmsv1.KeyMetadata) kmsv1.KeyState {
		res, err := s.DescribeKey(s.as(admin), &kmsv1.DescribeKeyRequest{KeyId: k.Arn})
		s.must(err)
		return res.KeyMetadata.GetKeyState()
	}
	if got := []kmsv1.KeyState{state(made), state(doomed)}; !slices.Equal(got, []kmsv1.KeyState{unavailable, pendingDeletion}) {
		t.Errorf("the keys are %v", got)
	}
	for name, use := range map[string]func() error{
		"Encrypt": func() error {
			_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: made.Arn, Plaintext: []byte("x")})
			return err
		},
		"Decrypt": func() error {
			_, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
			return err
		},
		"GenerateDataKey": func() error {
			_, err := s.GenerateDataKey(s.as(app), &kmsv1.GenerateDataKeyRequest{KeyId: made.Arn, NumberOfBytes: new(int32(16))})
			return err
		},
	} {
		if e := AsError(use()); e.Kind != annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE || e.Message != made.GetArn()+" is unavailable." {
			t.Errorf("%s: %v", name, e)
		}
	}
	// Enabling and disabling succeeds, and takes effect when the key is there again.
	_, err = s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: made.Arn})
	s.must(err)
	if got := state(made); got != unavailable {
		t.Errorf("the key is %v", got)
	}
	s.connectStore(store)
	s.awaitState(store, connected)
	if got := state(made); got != disabled {
		t.Errorf("the key is %v", got)
	}
	_, err = s.EnableKey(s.as(admin), &kmsv1.EnableKeyRequest{KeyId: made.Arn})
	s.must(err)
	_, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
	s.must(err)
}

func TestDisconnectingUnderLoadAnswersThatTheKeyIsUnavailableAndNothingElse(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	made := s.createKeyIn(store)
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: made.Arn, Plaintext: []byte("x")})
	s.must(err)
	for range 3 {
		var workers sync.WaitGroup
		started := make(chan struct{}, 8)
		for range cap(started) {
			workers.Go(func() {
				for n := 0; ; n++ {
					_, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
					if n == 3 {
						started <- struct{}{}
					}
					if err == nil {
						continue
					}
					if e := AsError(err); e.Kind != annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE || e.Message != made.GetArn()+" is unavailable." {
						t.Errorf("got %v", e)
					}
					return
				}
			})
		}
		for range cap(started) {
			<-started
		}
		s.disconnectStore(store)
		workers.Wait()
		s.awaitState(store, disconnected)
		s.connectStore(store)
		s.awaitState(store, connected)
		if _, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob}); err != nil {
			t.Fatalf("the key is not back: %v", err)
		}
	}
}

func TestAConnectedStoreIsConnectedAgainAfterARestart(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID, otherCluster)
	store := s.connectedStore(clusters[0])
	made := s.createKeyIn(store)
	s.stop()
	s.start()
	s.awaitState(store, connected)
	_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: made.Arn, Plaintext: []byte("x")})
	s.must(err)
	s.disconnectStore(store)
	s.awaitState(store, disconnected)
	s.stop()
	s.start()
	if e := s.entry(store); e.GetConnectionState() != disconnected {
		t.Errorf("the store is %v", e.GetConnectionState())
	}
}

func TestWhatKeysInACustomKeyStoreCannotDo(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	key := s.createKeyIn(store).Arn
	unsupported := annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION
	for name, test := range map[string]struct {
		do   func() error
		kind annotationsv1.ErrorKind
		text string
	}{
		"EnableKeyRotation": {func() error {
			_, err := s.EnableKeyRotation(s.as(admin), &kmsv1.EnableKeyRotationRequest{KeyId: key})
			return err
		}, unsupported, "AWS_CLOUDHSM"},
		"GetKeyRotationStatus": {func() error {
			_, err := s.GetKeyRotationStatus(s.as(admin), &kmsv1.GetKeyRotationStatusRequest{KeyId: key})
			return err
		}, unsupported, "AWS_CLOUDHSM"},
		"RotateKeyOnDemand": {func() error {
			_, err := s.RotateKeyOnDemand(s.as(admin), &kmsv1.RotateKeyOnDemandRequest{KeyId: key})
			return err
		}, unsupported, "AWS_CLOUDHSM"},
		"ListKeyRotations": {func() error {
			_, err := s.ListKeyRotations(s.as(admin), &kmsv1.ListKeyRotationsRequest{KeyId: key})
			return err
		}, unsupported, "AWS_CLOUDHSM"},
		"GetParametersForImport": {func() error {
			_, err := s.GetParametersForImport(s.as(admin), &kmsv1.GetParametersForImportRequest{KeyId: key,
				WrappingAlgorithm: kmsv1.AlgorithmSpec_ALGORITHM_SPEC_RSAES_OAEP_SHA_256.Enum(), WrappingKeySpec: kmsv1.WrappingKeySpec_WRAPPING_KEY_SPEC_RSA_2048.Enum()})
			return err
		}, unsupported, "AWS_CLOUDHSM"},
		"DeleteImportedKeyMaterial": {func() error {
			_, err := s.DeleteImportedKeyMaterial(s.as(admin), &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: key})
			return err
		}, unsupported, "AWS_CLOUDHSM"},
		"GenerateDataKeyPair": {func() error {
			_, err := s.GenerateDataKeyPair(s.as(admin), &kmsv1.GenerateDataKeyPairRequest{KeyId: key, KeyPairSpec: kmsv1.DataKeyPairSpec_DATA_KEY_PAIR_SPEC_ECC_NIST_P256.Enum()})
			return err
		}, unsupported, "custom key store"},
		"Sign": {func() error {
			_, err := s.Sign(s.as(admin), &kmsv1.SignRequest{KeyId: key, Message: []byte("x"), SigningAlgorithm: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_ECDSA_SHA_256.Enum()})
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE, "ENCRYPT_DECRYPT"},
		"an asymmetric key": {func() error {
			req := inStoreRequest(store)
			req.KeySpec, req.KeyUsage = kmsv1.KeySpec_KEY_SPEC_RSA_2048.Enum(), kmsv1.KeyUsageType_KEY_USAGE_TYPE_ENCRYPT_DECRYPT.Enum()
			_, err := s.CreateKey(s.as(admin), req)
			return err
		}, unsupported, "SYMMETRIC_DEFAULT"},
		"a multi-Region key": {func() error {
			req := inStoreRequest(store)
			req.MultiRegion = new(true)
			_, err := s.CreateKey(s.as(admin), req)
			return err
		}, unsupported, "MultiRegion"},
		"another origin": {func() error {
			_, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{CustomKeyStoreId: &store})
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "Origin"},
		"no store": {func() error {
			_, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{Origin: cloudHSM.Enum()})
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "CustomKeyStoreId"},
		"an unknown store": {func() error {
			_, err := s.CreateKey(s.as(admin), inStoreRequest("cks-00000000000000000"))
			return err
		}, annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND, "cks-00000000000000000"},
	} {
		t.Run(name, func(t *testing.T) { expectKind(t, test.do(), test.kind, test.text) })
	}
	clusters[0].minActive = 2
	_, err := s.CreateKey(s.as(admin), inStoreRequest(store))
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION, "1 active HSMs")
}

func TestTheQuotaOfAStoreThrottles(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	clusters[0].perSecond = 5
	store := s.connectedStore(clusters[0])
	made := s.createKeyIn(store)
	throttled := 0
	for range 50 {
		_, err := s.GenerateDataKey(s.as(app), &kmsv1.GenerateDataKeyRequest{KeyId: made.Arn, NumberOfBytes: new(int32(16))})
		if err != nil {
			expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_THROTTLING, "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("no request was throttled")
	}
	other := s.createKey() // the default key store has no such quota
	for range 20 {
		_, err := s.GenerateDataKey(s.as(app), &kmsv1.GenerateDataKeyRequest{KeyId: other.Arn, NumberOfBytes: new(int32(16))})
		s.must(err)
	}
}

func TestAStoresPasswordIsSealed(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	store := s.connectedStore(clusters[0])
	entries, _, err := s.store.Range(t.Context(), s.scope.storePrefix())
	s.must(err)
	if len(entries) != 1 {
		t.Fatalf("there are %d records", len(entries))
	}
	if form := findSecret(entries[0].Value, []byte(clusterPIN)); form != "" {
		t.Errorf("the record has the password in %s", form)
	}
	events, err := json.Marshal(s.events())
	s.must(err)
	if form := findSecret(events, []byte(clusterPIN)); form != "" {
		t.Errorf("the events have the password in %s", form)
	}
	for _, e := range s.events() {
		if e.EventName == "ConnectCustomKeyStore" && (e.AdditionalEventData["customKeyStoreName"] != storeName || e.AdditionalEventData["clusterId"] != clusterID || e.AdditionalEventData["customKeyStoreId"] != store) {
			t.Errorf("the event says %v", e.AdditionalEventData)
		}
	}
}

func TestStoresAreListedByPages(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, c := range "abcde" {
		ids = append(ids, "cluster-"+strings.Repeat(string(c), 11))
	}
	s := newService(t)
	s.initToken()
	for _, id := range ids {
		s.with = append(s.with, &testCluster{t: t, id: id, anchor: newAnchor(t), hsms: 1, minActive: 1})
	}
	s.start()
	t.Cleanup(s.stop)
	var want, got []string
	for i, c := range s.with {
		req := createRequest(c.(*testCluster))
		req.CustomKeyStoreName = new(storeName + ids[i])
		res, err := s.CreateCustomKeyStore(s.as(admin), req)
		s.must(err)
		want = append(want, res.GetCustomKeyStoreId())
	}
	slices.Sort(want)
	for marker := (*string)(nil); ; {
		res, err := s.DescribeCustomKeyStores(s.as(admin), &kmsv1.DescribeCustomKeyStoresRequest{Limit: new(int32(2)), Marker: marker})
		s.must(err)
		for _, e := range res.CustomKeyStores {
			got = append(got, e.GetCustomKeyStoreId())
		}
		if marker = res.NextMarker; !res.GetTruncated() {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}
