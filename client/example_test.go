package client_test

import (
	"context"
	"fmt"

	"github.com/strongroom-kms/strongroom/client"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

func Example() {
	server, stop := strongroomtest.StartMain()
	defer stop()
	files, key := server.Config("app"), server.NewKey()

	c, err := client.Dial(server.Address, client.Config{
		CACert:     files.CACert,     // such as /etc/strongroom/ca.pem
		ClientCert: files.ClientCert, // who this application is
		ClientKey:  files.ClientKey,
		UserAgent:  "billing/1.2",
	})
	if err != nil {
		panic(err)
	}
	defer c.Close() //nolint:errcheck // all calls are over

	ctx := context.Background()
	purpose := map[string]string{"purpose": "order"}
	sealed, err := c.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{
		KeyId: &key, Plaintext: []byte("attack at dawn"), EncryptionContext: purpose,
	})
	if err != nil {
		panic(err)
	}
	opened, err := c.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{
		CiphertextBlob: sealed.GetCiphertextBlob(), EncryptionContext: purpose,
	})
	fmt.Printf("%s %v\n", opened.GetPlaintext(), err)
	// Output: attack at dawn <nil>
}

// What went wrong has AWS's name, and the id by which the audit trails know the
// request.
func ExampleAsError() {
	server, stop := strongroomtest.StartMain()
	defer stop()

	c, ctx, requestID := server.Client("app"), context.Background(), ""
	_, err := c.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{})
	if e, ok := client.AsError(err); ok {
		fmt.Println(e.Name, e.Code)
		requestID = e.RequestID
	}
	fmt.Println(requestID == server.Events()[0].RequestID)
	// Output:
	// AccessDeniedException PermissionDenied
	// true
}
