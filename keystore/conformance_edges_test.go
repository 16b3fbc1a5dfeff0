package keystore

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// The kinds of answers that the model does not know.
const (
	invalidArn     = annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN
	invalidGrantID = annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_ID
	invalidMarker  = annotationsv1.ErrorKind_ERROR_KIND_INVALID_MARKER
	invalidMAC     = annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_MAC
	invalidSigned  = annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_SIGNATURE
	invalidToken   = annotationsv1.ErrorKind_ERROR_KIND_INVALID_IMPORT_TOKEN
	malformed      = annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_POLICY_DOCUMENT
	noStore        = annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND
	tooMuch        = annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED
	unsupported    = annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION
	wrongUsage     = annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE
)

// edgeRows are at each end of a member's lengths that its pattern allows: the request is
// within its limits. Of custom key stores they are not.
func (c *conformance) edgeRows(m member, req proto.Message) (rows []conformanceRow) {
	if strings.Contains(operationOf(req), "CustomKeyStore") {
		return nil
	}
	for i, length := range []int64{m.Size.Min, m.Size.Max} {
		value := m.filled(int(length))
		if text, ok := value.(string); i == 1 && m.Size.Min == m.Size.Max || ok && m.Pattern != nil && !m.Pattern.Match(text) {
			continue
		}
		want := c.atEdge(operationOf(req), m.Name(), value)
		want.message = strings.ReplaceAll(want.message, "{arn}", c.arnOf(req))
		rows = append(rows, conformanceRow{name: fmt.Sprintf("%s of %d", m.path, length), caller: admin, request: m.set(req, value), want: want})
	}
	return rows
}

// Name is the member's name without the structures that it is in.
func (m member) Name() string { return m.path[strings.LastIndex(m.path, ".")+1:] }

// arnOf is the ARN of the key that a request names by its id.
func (c *conformance) arnOf(req proto.Message) string {
	named, ok := req.(interface{ GetKeyId() string })
	if !ok {
		return ""
	}
	for _, k := range c.keys {
		if k.GetKeyId() == named.GetKeyId() {
			return k.GetArn()
		}
	}
	return c.awaiting.GetArn()
}

// atEdge is the answer to a request whose member has the longest or shortest value: that of
// the value, or else that of the well-formed request.
func (c *conformance) atEdge(operation, name string, value any) answer {
	text, _ := value.(string)
	if strings.HasSuffix(name, "ServicePrincipal") || name == "sourceArn" {
		return answer{invalid, strings.ToUpper(name[:1]) + name[1:] + " is not supported.", inferred}
	}
	switch operation {
	case "ReplicateKey", "UpdatePrimaryRegion":
		return answer{unsupported, operation + " is not supported.", inferred}
	case "CreateAlias", "ListRetirableGrants":
		if name != "marker" && name != "targetKeyId" && text != "a" {
			return answer{}
		}
	}
	if a, ok := edgeOfName(operation, name, text); ok {
		return a
	}
	return usually(operation)
}

// edgeOfName is the answer to a value that is as long as it may be, but names nothing.
func edgeOfName(operation, name, text string) (answer, bool) {
	switch {
	case name == "keyId", name == "targetKeyId", name == "sourceKeyId":
		return answer{notFound, "Invalid keyId '" + text + "'", inferred}, true
	case name == "attestationDocument":
		return answer{declared(operation, unsupported, "GenerateRandom", "GenerateDataKeyPair"), "Recipient is not supported.", inferred}, true
	case name == "policyName":
		return answer{notFound, "No such policy exists", apiReference}, true
	case name == "policy" && len(text) > 1:
		return answer{tooMuch, "The key policy is longer than 32768 characters.", inferred}, true
	case name == "policy":
		return answer{malformed, "line 1, column 1: not JSON: invalid character 'a' looking for beginning of value", inferred}, true
	case name == "marker" && operation == "ListResourceTags" && len(text) > 1:
		return answer{}, true // it is one of a tag that there is not
	case name == "marker":
		kinds := declared(operation, invalidMarker, "ListKeys", "ListAliases", "ListGrants", "ListRetirableGrants", "ListResourceTags", "ListKeyRotations")
		return answer{kinds, "Marker '" + text + "' is not one that " + operation + " answered.", inferred}, true
	case name == "grantId":
		return answer{invalidGrantID, "Invalid grant ID " + text, apiReference}, true
	case operation == "CreateGrant" && strings.HasSuffix(name, "Principal"):
		return answer{invalidArn, "ARN does not refer to a valid principal: " + text, apiReference}, true
	case name == "customKeyStoreId":
		return answer{noStore, "Custom key store " + text + " does not exist.", apiReference}, true
	case name == "xksKeyId":
		return answer{unsupported, "XksKeyId is not supported: there are no external key stores.", inferred}, true
	case operation == "CreateAlias" && text == "a":
		return answer{invalid, `Alias must start with the prefix "alias/".`, apiReference}, true
	case name == "aliasName" && len(text) > 1:
		return answer{}, true // it is the one that CreateAlias has made
	case name == "aliasName":
		return answer{notFound, "Alias arn:aws:kms:us-east-1:000000000000:" + text + " is not found.", apiReference}, true
	case name == "keyMaterialId" && operation == "DeleteImportedKeyMaterial":
		return answer{notFound, "Key material " + text + " of {arn} is not found.", inferred}, true
	case name == "grantToken":
		return answer{invalid, "Specify either GrantToken, or KeyId and GrantId.", inferred}, true
	case name == "ciphertextBlob":
		return garbage('a'), true
	}
	return answer{}, false
}

// declared is a kind of error if the operation is one of those that declare it, and otherwise
// the one that every operation may answer.
func declared(operation string, kind Kind, by ...string) Kind {
	for _, o := range by {
		if o == operation {
			return kind
		}
	}
	return invalid
}

// usually is the answer to the well-formed request of an operation.
func usually(operation string) answer {
	return map[string]answer{
		"Verify":             {invalidSigned, "The signature is not that of the message under {arn}.", inferred},
		"VerifyMac":          {invalidMAC, "The MAC is not that of the message under {arn}.", inferred},
		"DeriveSharedSecret": {invalid, "PublicKey is not a public key on the curve of {arn}.", inferred},
		"ReEncrypt":          garbage('x'),
		"ImportKeyMaterial":  {invalidToken, "The import token is not the one that GetParametersForImport answered last for {arn}.", inferred},
	}[operation]
}

// garbage is the answer to a ciphertext that begins with a byte that none does.
func garbage(first byte) answer {
	return answer{garbled, fmt.Sprintf("The ciphertext blob is not one that this service made: invalid ciphertext blob: version %d is not known.", first), inferred}
}
