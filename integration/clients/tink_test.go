package clients

import (
	"bytes"
	"testing"

	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/aead"

	"github.com/strongroom-kms/strongroom/client/tinkkms"
)

func TestTink(t *testing.T) {
	inProcess(t)
	ctx := t.Context()
	keyARN, megabyte := newKey(t), make([]byte, 1<<20)

	keys, err := awskms.NewClientWithOptions(ctx, "aws-kms://"+keyARN)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.GetAEAD("aws-kms://" + keyARN)
	if err != nil {
		t.Fatal(err)
	}
	envelope := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), key)
	sealed, err := envelope.Encrypt(megabyte, []byte("order 7"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := envelope.Decrypt(sealed, []byte("order 7"))
	if err != nil || !bytes.Equal(opened, megabyte) {
		t.Errorf("it decrypts to %d bytes, %v", len(opened), err)
	}

	if _, err := envelope.Decrypt(sealed, []byte("order 8")); err == nil {
		t.Error("it decrypts as another order")
	}
	direct, err := key.Encrypt([]byte("attack at dawn"), []byte("order 7"))
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := key.Decrypt(direct, []byte("order 7")); err != nil || string(opened) != "attack at dawn" {
		t.Errorf("without an envelope it decrypts to %q, %v", opened, err)
	}
	if _, err := key.Decrypt(direct, []byte("order 8")); err == nil {
		t.Error("without an envelope it decrypts as another order")
	}
	expectOurs(t, keyARN, sealed, direct)
}

// expectOurs opens with package client/tinkkms, over gRPC, what Tink's own package
// has sealed.
func expectOurs(t *testing.T, keyARN string, sealed, direct []byte) {
	t.Helper()
	connection := dial(t)
	keys, err := tinkkms.NewClient(tinkkms.Scheme, connection.KMS)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.GetAEAD(tinkkms.Scheme + keyARN)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := key.Decrypt(direct, []byte("order 7")); err != nil || string(opened) != "attack at dawn" {
		t.Errorf("over gRPC it decrypts to %q, %v", opened, err)
	}
	envelope := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), key)
	if opened, err := envelope.Decrypt(sealed, []byte("order 7")); err != nil || len(opened) != 1<<20 {
		t.Errorf("over gRPC the envelope decrypts to %d bytes, %v", len(opened), err)
	}
}
