//go:build cgo

package worker

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// bring puts a secret that the test knows into the token.
func (t *testToken) bring(tb testing.TB, secret []byte) objectID {
	tb.Helper()
	var id objectID
	_, _ = rand.Read(id[:]) // never fails
	_, err := t.token.ctx.ctx.CreateObject(t.manager.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_ID, id[:]),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, secret),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// TestMAC compares the token's MACs with those of Go's package.
func TestMAC(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	for a, hash := range map[kind.Algorithm]crypto.Hash{
		kind.HMACSHA224: crypto.SHA224, kind.HMACSHA256: crypto.SHA256, kind.HMACSHA384: crypto.SHA384, kind.HMACSHA512: crypto.SHA512,
	} {
		secret := make([]byte, hash.Size())
		_, _ = rand.Read(secret) // never fails
		id := token.bring(t, secret)
		for _, message := range [][]byte{nil, []byte("message"), bytes.Repeat([]byte{7}, 4096)} {
			want := hmac.New(hash.New, secret)
			want.Write(message)
			reply := e.handle(&workerv1.ToWorker{Request: &workerv1.ToWorker_Sign{Sign: &workerv1.SignRequest{
				ObjectId: id[:], Algorithm: string(a), Input: bytes.Clone(message),
			}}})
			if f := reply.GetFailure(); f != nil || !hmac.Equal(reply.GetSignature(), want.Sum(nil)) {
				t.Errorf("%s of %d bytes: %x, %v", a, len(message), reply.GetSignature(), f)
			}
		}
	}
}
