package keystore

import (
	"fmt"
	"slices"
	"strings"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// countRows are at and past limits that the model of the API does not have, or that depend on
// the key.
func (c *conformance) countRows() []conformanceRow {
	return slices.Concat(c.grantCounts(), c.tagCounts(), c.plaintextLengths(), c.digestLengths(), c.windows())
}

// grantCounts are of the grant tokens of a request, and of the constraints of a grant.
func (c *conformance) grantCounts() (rows []conformanceRow) {
	key := c.keys[encryptDecrypt]
	tokens := slices.Repeat([]string{c.tokenFor(key)}, 10)
	rows = append(rows,
		conformanceRow{name: "10 grant tokens", caller: admin, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x"), GrantTokens: tokens}},
		conformanceRow{name: "a grant token of 8192", caller: admin, request: &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x"), GrantTokens: []string{strings.Repeat("x", 8192)}},
			want: answer{invalidGrant, saidBadToken, inferred}})
	pairs := func(n, length int) map[string]string {
		m := make(map[string]string)
		for i := range n {
			m[fmt.Sprint("k", i)] = strings.Repeat("v", length)
		}
		return m
	}
	for _, l := range []struct {
		name string
		c    *kmsv1.GrantConstraints
		want string
	}{
		{"8 pairs", &kmsv1.GrantConstraints{EncryptionContextEquals: pairs(8, 1)}, ""},
		{"9 pairs", &kmsv1.GrantConstraints{EncryptionContextEquals: pairs(9, 1)}, "A constraint may have 8 pairs of the encryption context, and not 9."},
		{"a value of 384", &kmsv1.GrantConstraints{EncryptionContextSubset: pairs(1, 384)}, ""},
		{"a value of 385", &kmsv1.GrantConstraints{EncryptionContextSubset: pairs(1, 385)}, `The value of "k0" in the constraint is longer than 384 characters.`},
		{"both constraints", &kmsv1.GrantConstraints{EncryptionContextEquals: pairs(1, 1), EncryptionContextSubset: pairs(1, 1)},
			"Constraints may have EncryptionContextEquals or EncryptionContextSubset, not both."},
	} {
		want := answer{}
		if l.want != "" {
			want = answer{invalid, l.want, inferred}
		}
		rows = append(rows, conformanceRow{name: l.name, caller: admin, want: want, request: &kmsv1.CreateGrantRequest{
			KeyId: key.KeyId, GranteePrincipal: new(app), Operations: []kmsv1.GrantOperation{mayEncrypt}, Constraints: l.c,
		}})
	}
	return rows
}

// tagCounts are of the tags of a request, and of a key.
func (c *conformance) tagCounts() []conformanceRow {
	key := c.createKey()
	tooMany := answer{badTag, "Too many tags", inferred}
	full := answer{annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED, "Key {arn} would have 51 tags, and may not have more than 50.", inferred}
	return []conformanceRow{
		{name: "51 tags", caller: admin, request: &kmsv1.TagResourceRequest{KeyId: key.KeyId, Tags: numberedTags("t", 51)}, want: tooMany},
		{name: "50 tags", caller: admin, request: &kmsv1.TagResourceRequest{KeyId: key.KeyId, Tags: numberedTags("t", 50)}},
		{name: "one that is there", caller: admin, request: &kmsv1.TagResourceRequest{KeyId: key.KeyId, Tags: numberedTags("t", 1)}},
		{name: "one more than 50", caller: admin, key: key, request: &kmsv1.TagResourceRequest{KeyId: key.KeyId, Tags: tagsOf("more", "1")}, want: full},
		{name: "51 tags", caller: admin, request: &kmsv1.CreateKeyRequest{Tags: numberedTags("t", 51)}, want: tooMany},
		{name: "50 tags", caller: admin, request: &kmsv1.CreateKeyRequest{Tags: numberedTags("t", 50)}},
		{name: "one that is not there", caller: admin, request: &kmsv1.UntagResourceRequest{KeyId: key.KeyId, TagKeys: []string{"gone"}}},
	}
}

// plaintextLengths are what RSA-OAEP takes by a key of 2048 bits.
func (c *conformance) plaintextLengths() (rows []conformanceRow) {
	const said = "Algorithm %s and key spec RSA_2048 cannot encrypt data larger than %d bytes."
	for name, l := range map[string]struct {
		algorithm kmsv1.EncryptionAlgorithmSpec
		most      int
	}{
		"RSAES_OAEP_SHA_1":   {kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_1, 214},
		"RSAES_OAEP_SHA_256": {kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_RSAES_OAEP_SHA_256, 190},
	} {
		request := func(n int) *kmsv1.EncryptRequest {
			return &kmsv1.EncryptRequest{KeyId: c.rsa.KeyId, Plaintext: make([]byte, n), EncryptionAlgorithm: &l.algorithm}
		}
		rows = append(rows,
			conformanceRow{name: name + " at the limit", caller: admin, request: request(l.most)},
			conformanceRow{name: name + " past the limit", caller: admin, request: request(l.most + 1), want: answer{invalid, fmt.Sprintf(said, name, l.most), inferred}})
	}
	return rows
}

// digestLengths are around that of SHA-256.
func (c *conformance) digestLengths() (rows []conformanceRow) {
	for n, want := range map[int]answer{
		31: {invalid, "Digest is invalid length for algorithm ECDSA_SHA_256.", apiReference},
		32: {},
		33: {invalid, "Digest is invalid length for algorithm ECDSA_SHA_256.", apiReference},
	} {
		rows = append(rows, conformanceRow{name: fmt.Sprintf("a digest of %d", n), caller: admin, want: want, request: &kmsv1.SignRequest{
			KeyId: c.keys[signVerify].KeyId, Message: make([]byte, n), MessageType: kmsv1.MessageType_MESSAGE_TYPE_DIGEST.Enum(), SigningAlgorithm: ecdsaSHA256.Enum(),
		}})
	}
	return rows
}

// windows are around what the page of ScheduleKeyDeletion allows, and what the model does.
func (c *conformance) windows() (rows []conformanceRow) {
	key := c.keys[encryptDecrypt]
	for n, want := range map[int32]answer{0: bounded("pendingWindowInDays", 0, 1, 365), 6: bounded("pendingWindowInDays", 6, 7, 30), 7: {}, 30: {}, 31: bounded("pendingWindowInDays", 31, 7, 30), 366: bounded("pendingWindowInDays", 366, 1, 365)} {
		rows = append(rows, conformanceRow{name: fmt.Sprintf("in %d days", n), caller: admin, key: key, state: enabled, request: &kmsv1.ScheduleKeyDeletionRequest{KeyId: key.KeyId, PendingWindowInDays: &n}, want: want})
	}
	return rows
}
