package strongroomtest_test

import (
	"context"
	"fmt"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// In a test, strongroomtest.Start(t) takes the place of StartMain and stop.
func Example() {
	server, stop := strongroomtest.StartMain()
	defer stop()

	// What is to be tested uses a key, as the principal app.
	key := server.NewKey()
	_, err := server.Client("app").KMS.GenerateDataKey(context.Background(), &kmsv1.GenerateDataKeyRequest{
		KeyId:             &key,
		KeySpec:           kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum(),
		EncryptionContext: map[string]string{"tenant": "7"},
	})
	if err != nil {
		fmt.Println(err)
	}

	for _, e := range server.Events() {
		fmt.Println(e.EventName, e.UserIdentity.ARN, e.RequestParameters["encryptionContext"])
	}
	for _, e := range server.HSMLog() {
		if e.RequestID == server.Events()[0].RequestID {
			fmt.Println(e.Opcode, e.KeyLabel == key)
		}
	}
	// Output:
	// CreateKey arn:aws:iam::000000000000:user/admin <nil>
	// GenerateDataKey arn:aws:iam::000000000000:user/app map[tenant:7]
	// CN_GENERATE_KEY true
}
