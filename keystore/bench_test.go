package keystore

import (
	"testing"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// BenchmarkEncrypt is Encrypt without a transport: 64 requests in flight on a
// SoftHSM token, each with its durable event.
func BenchmarkEncrypt(b *testing.B) {
	s := newService(b)
	s.initToken()
	s.start()
	defer s.stop()
	key := s.createKey()
	ctx := s.as(app)
	b.SetParallelism(32) // times GOMAXPROCS
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req := &kmsv1.EncryptRequest{KeyId: key.Arn, Plaintext: make([]byte, 32), EncryptionContext: map[string]string{"tenant": "acme"}}
		for pb.Next() {
			if _, err := s.Encrypt(ctx, req); err != nil {
				b.Fatal(err)
			}
		}
	})
}
