package client_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

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

// A certificate is issued by an authority whose key is in the HSM.
func ExampleClient_Signer() {
	server, stop := strongroomtest.StartMain()
	defer stop()
	c, ctx := server.Admin, context.Background()

	made, err := c.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{
		KeySpec:  kmsv1.KeySpec_KEY_SPEC_ECC_NIST_P384.Enum(),
		KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY.Enum(),
	})
	if err != nil {
		panic(err)
	}
	signer, err := c.Signer(ctx, made.GetKeyMetadata().GetArn())
	if err != nil {
		panic(err)
	}
	authority := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Example CA"}, SerialNumber: big.NewInt(1),
		NotBefore: time.Now(), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, signer.Public(), signer)
	if err != nil {
		panic(err)
	}

	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	fmt.Println(certificate.Subject, certificate.SignatureAlgorithm, certificate.CheckSignatureFrom(certificate))
	// Output: CN=Example CA ECDSA-SHA384 <nil>
}
