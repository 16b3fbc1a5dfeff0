package keystore

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// What a grant's constraints may be, by the page "Resource quotas" of the AWS KMS
// Developer Guide.
const (
	maxConstraintPairs = 8
	maxConstraintValue = 384 // characters
)

// grantIDBytes is the length of a grant's id, which is written in hex.
const grantIDBytes = 32

// grantable says whether a key may get a grant.
func grantable(of *key, req *kmsv1.CreateGrantRequest) error {
	if err := refuseDisabled(of); err != nil {
		return err
	}
	if err := refuseIn(of, creating, pendingDeletion, pendingReplicaDeletion, pendingImport); err != nil {
		return err
	}
	for _, arn := range []string{req.GetGranteePrincipal(), req.GetRetiringPrincipal()} {
		if arn != "" && policy.CheckPrincipal(arn) != nil {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN, "ARN does not refer to a valid principal: %s", arn)
		}
	}
	if err := checkOperations(of, req.GetOperations()); err != nil {
		return err
	}
	return checkConstraints(of, req.GetConstraints())
}

// checkOperations checks that a key can do what a grant is to allow.
func checkOperations(of *key, operations []kmsv1.GrantOperation) error {
	var unfit []string
	for _, o := range operations {
		if name := describe.WireName(o); !slices.Contains(grantOperations(of), name) {
			unfit = append(unfit, name)
		}
	}
	if unfit == nil {
		return nil
	}
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "Operations [%s] are not valid for key %s, whose KeySpec is %s and KeyUsage %s.",
		strings.Join(unfit, ", "), of.arn, describe.WireName(of.record.GetKeySpec()), describe.WireName(of.record.GetKeyUsage()))
}

// grantOperations are the operations that a grant of a key can allow, as the page
// "Grants in AWS KMS" of the AWS KMS Developer Guide has them.
func grantOperations(of *key) []string {
	names := []string{"DescribeKey", "CreateGrant", "RetireGrant"}
	if of.kind.asymmetric() {
		names = append(names, "GetPublicKey")
	}
	switch of.record.GetKeyUsage() {
	case encryptDecrypt:
		names = append(names, "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo")
	case signVerify:
		return append(names, "Sign", "Verify")
	case generateVerifyMac:
		return append(names, "GenerateMac", "VerifyMac")
	case keyAgreement:
		return append(names, "DeriveSharedSecret")
	}
	if of.kind.symmetric() {
		names = append(names, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
	}
	return names
}

func checkConstraints(of *key, c *kmsv1.GrantConstraints) error {
	equals, subset := c.GetEncryptionContextEquals(), c.GetEncryptionContextSubset()
	invalid := func(format string, args ...any) error {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, format, args...)
	}
	switch {
	case len(equals) == 0 && len(subset) == 0:
		return nil
	case len(equals) > 0 && len(subset) > 0:
		return invalid("Constraints may have EncryptionContextEquals or EncryptionContextSubset, not both.")
	case !of.kind.symmetric():
		return invalid("Encryption context constraints are valid for symmetric encryption keys only, and %s is %s.", of.arn, describe.WireName(of.record.GetKeySpec()))
	case len(equals)+len(subset) > maxConstraintPairs:
		return invalid("A constraint may have %d pairs of the encryption context, and not %d.", maxConstraintPairs, len(equals)+len(subset))
	}
	for _, pairs := range []map[string]string{equals, subset} {
		for k, v := range pairs {
			if utf8.RuneCountInString(v) > maxConstraintValue {
				return invalid("The value of %q in the constraint is longer than %d characters.", k, maxConstraintValue)
			}
		}
	}
	return nil
}

// hasGrant checks that a key has a grant.
func (k *Keystore) hasGrant(of *key, id string) error {
	if b, err := hex.DecodeString(id); err != nil || len(b) != grantIDBytes {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_ID, "Invalid grant ID %s", id)
	}
	if k.view.grant(of.id, id) == nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Grant %s of key %s is not found.", id, of.arn)
	}
	return nil
}

// tokenVersion is the first byte of every grant token.
const tokenVersion = 1

// grantToken names a grant: version, key, grant id and the first bytes of their
// SHA-256, in base64. It proves nothing: a grant is in force without it.
func grantToken(of uuid.UUID, id string) string {
	raw, _ := hex.DecodeString(id)
	b := append(append([]byte{tokenVersion}, of[:]...), raw...)
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(append(b, sum[:4]...))
}

func parseGrantToken(token string) (of uuid.UUID, id string, ok bool) {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) != 1+len(of)+grantIDBytes+4 || b[0] != tokenVersion {
		return uuid.Nil, "", false
	}
	body, check := b[:len(b)-4], b[len(b)-4:]
	sum := sha256.Sum256(body)
	if !bytes.Equal(sum[:4], check) {
		return uuid.Nil, "", false
	}
	return uuid.UUID(body[1:17]), hex.EncodeToString(body[17:]), true
}

// checkGrantTokens refuses what is no grant token. One of a grant that has ended
// is one; it allows nothing.
func checkGrantTokens(req any) error {
	for _, t := range grantTokens(req) {
		if _, _, ok := parseGrantToken(t); !ok {
			return invalidGrantToken()
		}
	}
	return nil
}

func invalidGrantToken() error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_TOKEN, "The request has a grant token that is not valid.")
}
