package tinkkms_test

import (
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/strongroom-kms/strongroom/client/tinkkms"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// Up to 4,096 bytes are encrypted by the HSM itself.
func Example() {
	server, stop := strongroomtest.StartMain() // in an application: client.Dial
	defer stop()
	keyURI := tinkkms.Scheme + server.NewKey()

	kms, err := tinkkms.NewClient(tinkkms.Scheme, server.Client("app").KMS)
	if err != nil {
		panic(err)
	}
	key, err := kms.Key(keyURI)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	sealed, err := key.EncryptWithContext(ctx, []byte("attack at dawn"), []byte("order 7"))
	if err != nil {
		panic(err)
	}
	opened, err := key.DecryptWithContext(ctx, sealed, []byte("order 7"))
	fmt.Printf("%s %v\n", opened, err)
	// Output: attack at dawn <nil>
}

// Envelope encryption takes data of any size: Tink encrypts it under a fresh data
// key, which is all that the HSM encrypts.
func Example_envelope() {
	server, stop := strongroomtest.StartMain() // in an application: client.Dial
	defer stop()
	keyURI := tinkkms.Scheme + server.NewKey()

	kms, err := tinkkms.NewClient(tinkkms.Scheme, server.Client("app").KMS)
	if err != nil {
		panic(err)
	}
	key, err := kms.Key(keyURI)
	if err != nil {
		panic(err)
	}
	envelope, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), key)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	sealed, err := envelope.EncryptWithContext(ctx, make([]byte, 1<<20), []byte("order 7"))
	if err != nil {
		panic(err)
	}
	opened, err := envelope.DecryptWithContext(ctx, sealed, []byte("order 7"))
	fmt.Println(len(opened), err)
	// Output: 1048576 <nil>
}

// With the client in Tink's registry, a keyset can name the key by its URI.
func Example_registry() {
	server, stop := strongroomtest.StartMain() // in an application: client.Dial
	defer stop()
	keyURI := tinkkms.Scheme + server.NewKey()

	kms, err := tinkkms.NewClient(tinkkms.Scheme, server.Client("app").KMS)
	if err != nil {
		panic(err)
	}
	registry.RegisterKMSClient(kms)
	defer registry.ClearKMSClients()

	template, err := aead.CreateKMSEnvelopeAEADKeyTemplate(keyURI, aead.AES256GCMKeyTemplate())
	if err != nil {
		panic(err)
	}
	handle, err := keyset.NewHandle(template)
	if err != nil {
		panic(err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		panic(err)
	}
	sealed, err := primitive.Encrypt([]byte("attack at dawn"), []byte("order 7"))
	if err != nil {
		panic(err)
	}
	opened, err := primitive.Decrypt(sealed, []byte("order 7"))
	fmt.Printf("%s %v\n", opened, err)
	// Output: attack at dawn <nil>
}
