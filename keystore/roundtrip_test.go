package keystore

import (
	"bytes"
	"slices"
	"testing"

	"github.com/strongroom-kms/strongroom/audit"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

func TestWhatWasEncryptedIsDecryptedAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	key := s.createKey()
	plaintext, inContext := bytes.Repeat([]byte{0, 255}, 2048), map[string]string{"a": "1", "b": ""}
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.Arn, Plaintext: plaintext, EncryptionContext: inContext})
	s.must(err)
	s.stop()
	s.start()
	defer s.stop()
	for _, id := range []*string{nil, key.KeyId, key.Arn} {
		opened, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: inContext, KeyId: id})
		s.must(err)
		if !bytes.Equal(opened.Plaintext, plaintext) || opened.GetKeyId() != key.GetArn() || opened.GetKeyMaterialId() != key.GetCurrentKeyMaterialId() {
			t.Errorf("with KeyId %v: got key %s, material %s, %d bytes", id, opened.GetKeyId(), opened.GetKeyMaterialId(), len(opened.Plaintext))
		}
	}
}

func TestEncryptionIsNotDeterministic(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	var seen [][]byte
	for range 50 {
		sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("the same")})
		s.must(err)
		iv := sealed.CiphertextBlob[33:45]
		if slices.ContainsFunc(seen, func(b []byte) bool { return bytes.Equal(b, iv) }) {
			t.Fatalf("the IV %x was used twice", iv)
		}
		seen = append(seen, iv)
	}
}

func TestDataKeysAreWhatTheirCiphertextsHold(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	for _, c := range []struct {
		spec  *kmsv1.DataKeySpec
		bytes *int32
		want  int
	}{
		{spec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(), want: 32},
		{spec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_128.Enum(), want: 16},
		{bytes: new(int32(1)), want: 1},
		{bytes: new(int32(1024)), want: 1024},
	} {
		with, err := s.GenerateDataKey(s.as(app), &kmsv1.GenerateDataKeyRequest{KeyId: key.KeyId, KeySpec: c.spec, NumberOfBytes: c.bytes})
		s.must(err)
		opened, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: with.CiphertextBlob})
		s.must(err)
		if len(with.Plaintext) != c.want || !bytes.Equal(with.Plaintext, opened.Plaintext) {
			t.Errorf("a data key of %d bytes came as %d bytes, its ciphertext holds %d", c.want, len(with.Plaintext), len(opened.Plaintext))
		}
		without, err := s.GenerateDataKeyWithoutPlaintext(s.as(app), &kmsv1.GenerateDataKeyWithoutPlaintextRequest{KeyId: key.KeyId, KeySpec: c.spec, NumberOfBytes: c.bytes})
		s.must(err)
		if opened, err = s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: without.CiphertextBlob}); err != nil || len(opened.Plaintext) != c.want {
			t.Errorf("the ciphertext without plaintext holds %d bytes (%v), want %d", len(opened.GetPlaintext()), err, c.want)
		}
	}
}

func TestRandomBytesHaveTheLengthAskedFor(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for _, n := range []int32{1, 32, 1024} {
		res, err := s.GenerateRandom(s.as(app), &kmsv1.GenerateRandomRequest{NumberOfBytes: &n})
		if err != nil || len(res.Plaintext) != int(n) {
			t.Errorf("GenerateRandom(%d) = %d bytes, %v", n, len(res.GetPlaintext()), err)
		}
	}
}

func TestListKeysPagesThroughAllKeysOnce(t *testing.T) {
	t.Parallel()
	s := startService(t)
	var want []string
	for range 5 {
		want = append(want, s.createKey().GetKeyId())
	}
	slices.Sort(want)
	var got []string
	req := &kmsv1.ListKeysRequest{Limit: new(int32(2))}
	for pages := 1; ; pages++ {
		res, err := s.ListKeys(s.as(app), req)
		s.must(err)
		for _, k := range res.Keys {
			got = append(got, k.GetKeyId())
		}
		if !res.GetTruncated() {
			if pages != 3 || res.NextMarker != nil {
				t.Errorf("%d pages, the last with marker %q", pages, res.GetNextMarker())
			}
			break
		}
		req.Marker = res.NextMarker
	}
	if !slices.Equal(got, want) {
		t.Errorf("ListKeys gave %v, want %v", got, want)
	}
	if _, err := s.ListKeys(s.as(app), &kmsv1.ListKeysRequest{Marker: new("nonsense!")}); err == nil {
		t.Error("a marker that ListKeys never gave was accepted")
	}
}

func TestBothTrailsTellOfACreatedKey(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	e := s.lastEvent()
	meta, _ := e.ResponseElements["keyMetadata"].(map[string]any)
	if e.EventName != "CreateKey" || e.ReadOnly || meta["arn"] != key.GetArn() || e.ErrorCode != "" {
		t.Errorf("the event of CreateKey is %+v", e)
	}
	if len(e.Resources) != 1 || e.Resources[0].ARN != key.GetArn() || e.AdditionalEventData["returnCode"] != "CKR_OK" {
		t.Errorf("the event does not tell where the key is: %+v", e)
	}
	log := s.hsmLog()
	i := slices.IndexFunc(log, func(h audit.HSMEntry) bool { return h.Function == "C_GenerateKey" })
	if i < 0 || log[i].RequestID != e.RequestID || log[i].KeyLabel != key.GetArn() || log[i].KeyID != e.AdditionalEventData["backingKeyId"] {
		t.Errorf("the HSM log does not tell of the key: %+v", log)
	}
}

func TestEventsOfCryptographicOperationsNameTheKeyAndTheHSM(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	before := len(s.hsmLog())
	_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x"), EncryptionContext: map[string]string{"tenant": "acme"}})
	s.must(err)
	e := s.lastEvent()
	if e.EventName != "Encrypt" || !e.ReadOnly || e.ResponseElements != nil || e.UserIdentity.ARN != app || e.UserIdentity.Type != "IAMUser" {
		t.Errorf("the event is %+v", e)
	}
	if e.RequestParameters["keyId"] != key.GetKeyId() || e.RequestParameters["encryptionAlgorithm"] != "SYMMETRIC_DEFAULT" || e.RequestParameters["encryptionContext"].(map[string]any)["tenant"] != "acme" {
		t.Errorf("requestParameters are %v", e.RequestParameters)
	}
	hsm := s.pool.Describe()[0].HSMID
	if e.AdditionalEventData["hsmId"] != hsm || e.AdditionalEventData["keyMaterialId"] != key.GetCurrentKeyMaterialId() || e.AdditionalEventData["returnCode"] != "CKR_OK" {
		t.Errorf("additionalEventData is %v", e.AdditionalEventData)
	}
	if after := len(s.hsmLog()); after != before {
		t.Errorf("Encrypt left %d entries in the HSM log; CloudHSM leaves none", after-before)
	}
}

// TestEveryBitOfACiphertextIsAuthenticated flips each bit of a ciphertext in
// turn: version, key, key material, IV, ciphertext and tag.
func TestEveryBitOfACiphertextIsAuthenticated(t *testing.T) {
	t.Parallel()
	s := startService(t)
	sealed, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: s.createKey().KeyId, Plaintext: []byte("x")})
	s.must(err)
	for bit := range 8 * len(sealed.CiphertextBlob) {
		altered := bytes.Clone(sealed.CiphertextBlob)
		altered[bit/8] ^= 1 << (bit % 8)
		if res, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: altered}); err == nil {
			t.Errorf("with bit %d of byte %d altered it opens to %q", bit%8, bit/8, res.Plaintext)
		}
	}
	if restarts := s.pool.Describe()[0].Restarts; restarts != 0 {
		t.Errorf("bad ciphertexts replaced the worker %d times", restarts)
	}
}
