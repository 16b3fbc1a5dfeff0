package sigv4_test

import "testing"

// BenchmarkVerify verifies a Decrypt as SDKs send it. The signing key is cached.
func BenchmarkVerify(b *testing.B) {
	r, v := signedRequest(b), newVerifier(newKeys(), signedAt)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, "kms", reading([]byte(decrypt))); err != nil {
			b.Fatal(err)
		}
	}
}
