package tinkkms_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/grpc/codes"

	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/client/tinkkms"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// What Tink asks for.
var (
	_ registry.KMSClient   = (*tinkkms.Client)(nil)
	_ tink.AEAD            = (*tinkkms.Key)(nil)
	_ tink.AEADWithContext = (*tinkkms.Key)(nil)
)

const keyARN = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d-0000-4000-8000-000000000000"

func mustClient(t *testing.T, prefix string, kms kmsv1.KeyManagementServiceClient) *tinkkms.Client {
	t.Helper()
	c, err := tinkkms.NewClient(prefix, kms)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustKey(t *testing.T, c *tinkkms.Client, arn string) *tinkkms.Key {
	t.Helper()
	key, err := c.Key(tinkkms.Scheme + arn)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestURIs(t *testing.T) {
	const us = tinkkms.Scheme + "arn:aws:kms:us-east-1:"
	tests := []struct {
		prefix, uri string
		supported   bool
		err         string
	}{
		{tinkkms.Scheme, tinkkms.Scheme + keyARN, true, ""},
		{tinkkms.Scheme, tinkkms.Scheme + "arn:aws:kms:eu-central-1:111122223333:alias/billing/2026_a-b", true, ""},
		{tinkkms.Scheme, tinkkms.Scheme + "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-0a1b", true, ""},
		{us, us + "000000000000:key/0a1b", true, ""},
		{us, tinkkms.Scheme + "arn:aws:kms:eu-central-1:000000000000:key/0a1b", false, "does not begin with " + us},
		{tinkkms.Scheme, "aws-kms://" + keyARN, false, "does not begin with"},
		{tinkkms.Scheme, keyARN, false, "does not begin with"},
		{tinkkms.Scheme, "", false, "does not begin with"},
		{tinkkms.Scheme, tinkkms.Scheme, true, "is not"},
		{tinkkms.Scheme, tinkkms.Scheme + "alias/billing", true, "is not"},
		{tinkkms.Scheme, tinkkms.Scheme + "0a1b2c3d-0000-4000-8000-000000000000", true, "is not"},
		{tinkkms.Scheme, tinkkms.Scheme + keyARN + "\n", true, "is not"},
		{tinkkms.Scheme, tinkkms.Scheme + "arn:aws:iam::000000000000:user/admin", true, "is not"},
	}
	for _, test := range tests {
		c := mustClient(t, test.prefix, nil)
		if got := c.Supported(test.uri); got != test.supported {
			t.Errorf("%q: supported %t, want %t", test.uri, got, test.supported)
		}
		got, err := c.GetAEAD(test.uri)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) || (got == nil) != (err != nil) {
			t.Errorf("%q: got %v, %v; want error %q", test.uri, got, err, test.err)
		}
	}
	if _, err := tinkkms.NewClient("aws-kms://", nil); err == nil {
		t.Error("the prefix of another KMS is taken")
	}
}

func TestAEAD(t *testing.T) {
	server := strongroomtest.Start(t)
	c := mustClient(t, tinkkms.Scheme, server.Client("app").KMS)
	key, other := mustKey(t, c, server.NewKey()), mustKey(t, c, server.NewKey())
	plaintext, data := []byte("attack at dawn"), []byte{0, 0xab, 0xff}

	sealed, err := key.Encrypt(plaintext, data)
	if err != nil {
		t.Fatal(err)
	}
	altered := slices.Clone(sealed)
	altered[len(altered)-1] ^= 1
	tests := []struct {
		name       string
		key        *tinkkms.Key
		ciphertext []byte
		data       []byte
		err        string // the name of AWS's exception; "" for success
	}{
		{"the same", key, sealed, data, ""},
		{"other associated data", key, sealed, []byte("x"), "InvalidCiphertextException"},
		{"no associated data", key, sealed, nil, "InvalidCiphertextException"},
		{"another key", other, sealed, data, "IncorrectKeyException"},
		{"altered", key, altered, data, "InvalidCiphertextException"},
		{"not a ciphertext", key, []byte("nonsense"), data, "InvalidCiphertextException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opened, err := test.key.Decrypt(test.ciphertext, test.data)
			e, failed := client.AsError(err)
			switch {
			case test.err == "" && (err != nil || !bytes.Equal(opened, plaintext)):
				t.Errorf("got %q, %v", opened, err)
			case test.err != "" && (!failed || e.Name != test.err || opened != nil):
				t.Errorf("got %q, %v; want %s", opened, err, test.err)
			}
		})
	}
	want := map[string]any{"associatedData": "00abff"}
	if diff := cmp.Diff(want, server.Events()[2].RequestParameters["encryptionContext"]); diff != "" {
		t.Errorf("the encryption context (-want +got):\n%s", diff)
	}
}

// Nil and empty associated data are the same: no encryption context.
func TestEmptyAssociatedDataIsNoContext(t *testing.T) {
	server := strongroomtest.Start(t)
	key := mustKey(t, mustClient(t, tinkkms.Scheme, server.Admin.KMS), server.NewKey())
	sealed, err := key.Encrypt([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Decrypt(sealed, []byte{}); err != nil {
		t.Error(err)
	}
	if got, there := server.Events()[1].RequestParameters["encryptionContext"]; there {
		t.Errorf("the encryption context is %v", got)
	}
}

func TestLimits(t *testing.T) {
	server := strongroomtest.Start(t)
	key := mustKey(t, mustClient(t, tinkkms.Scheme, server.Admin.KMS), server.NewKey())
	for n, ok := range map[int]bool{0: false, 1: true, tinkkms.MaxPlaintext: true, tinkkms.MaxPlaintext + 1: false} {
		_, err := key.Encrypt(make([]byte, n), nil)
		if (err == nil) != ok || !ok && !strings.Contains(err.Error(), "KMS takes 1 to 4096: use aead.NewKMSEnvelopeAEADWithContext") {
			t.Errorf("%d bytes: %v, want allowed: %t", n, err, ok)
		}
	}
}

func TestTheContextEndsACall(t *testing.T) {
	server := strongroomtest.Start(t)
	key := mustKey(t, mustClient(t, tinkkms.Scheme, server.Admin.KMS), server.NewKey())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := key.EncryptWithContext(ctx, []byte("x"), nil)
	if e, ok := client.AsError(err); !ok || e.Code != codes.Canceled {
		t.Errorf("got %v", err)
	}
}

// A key can be named by an alias, which Decrypt then holds to.
func TestAliases(t *testing.T) {
	server := strongroomtest.Start(t)
	arn, other := server.NewKey(), server.NewKey()
	kms := server.Admin.KMS
	if _, err := kms.CreateAlias(t.Context(), &kmsv1.CreateAliasRequest{AliasName: new("alias/billing"), TargetKeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	c := mustClient(t, tinkkms.Scheme, kms)
	key := mustKey(t, c, "arn:aws:kms:us-east-1:000000000000:alias/billing")
	sealed, err := key.Encrypt([]byte("attack at dawn"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := key.Decrypt(sealed, nil); err != nil || string(opened) != "attack at dawn" {
		t.Errorf("got %q, %v", opened, err)
	}
	if _, err := kms.UpdateAlias(t.Context(), &kmsv1.UpdateAliasRequest{AliasName: new("alias/billing"), TargetKeyId: &other}); err != nil {
		t.Fatal(err)
	}
	_, err = key.Decrypt(sealed, nil)
	if e, ok := client.AsError(err); !ok || e.Name != "IncorrectKeyException" {
		t.Errorf("after the alias points elsewhere: %v", err)
	}
	if _, err := mustKey(t, c, arn).Decrypt(sealed, nil); err != nil {
		t.Errorf("by the ARN of its key: %v", err)
	}
}
