package keystore

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// naming says which operations an alias will do for, and which declare InvalidArnException,
// as their pages in the API Reference have it.
type naming struct{ aliases, arns []string }

func namings() naming {
	return naming{
		aliases: []string{
			"Decrypt", "DeriveSharedSecret", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
			"GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetPublicKey", "ReEncrypt", "Sign", "Verify", "VerifyMac",
		},
		arns: []string{
			"CancelKeyDeletion", "CreateGrant", "DeleteImportedKeyMaterial", "DescribeKey", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation",
			"GetKeyLastUsage", "GetKeyPolicy", "GetKeyRotationStatus", "GetParametersForImport", "GetPublicKey", "ImportKeyMaterial", "ListAliases", "ListGrants",
			"ListKeyPolicies", "ListKeyRotations", "ListResourceTags", "PutKeyPolicy", "RetireGrant", "RevokeGrant", "RotateKeyOnDemand", "ScheduleKeyDeletion",
			"TagResource", "UntagResource", "UpdateKeyDescription",
		},
	}
}

// nameRows name the key of every operation on keys by what is none of its keys.
func (c *conformance) nameRows(requests []proto.Message) (rows []conformanceRow) {
	for _, req := range requests {
		operation := operationOf(req)
		for _, field := range []protoreflect.Name{"key_id", "target_key_id", "source_key_id", "destination_key_id"} {
			f := req.ProtoReflect().Descriptor().Fields().ByName(field)
			if f == nil || operation == "ReplicateKey" || operation == "UpdatePrimaryRegion" {
				continue
			}
			for name, want := range c.answersToNames(operation) {
				r := proto.Clone(req)
				r.ProtoReflect().Set(f, protoreflect.ValueOfString(name))
				rows = append(rows, conformanceRow{name: string(field) + " " + name, caller: admin, request: c.withCiphertext(r), want: want})
			}
		}
	}
	return rows
}

// withCiphertext gives ReEncrypt a ciphertext that names a key which is there, so that the
// source can be found.
func (c *conformance) withCiphertext(req proto.Message) proto.Message {
	r := req.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("ciphertext_blob"); f != nil {
		r.Set(f, protoreflect.ValueOfBytes(c.sealed))
	}
	return req
}

// answersToNames are what an operation answers to names of keys.
func (c *conformance) answersToNames(operation string) map[string]answer {
	const here, eastern = "arn:aws:kms:us-east-1:000000000000:", "arn:aws:kms:us-east-1:"
	n := namings()
	badArn := notFound
	if slices.Contains(n.arns, operation) {
		badArn = invalidArn
	}
	gone := func(message string) answer { return answer{notFound, message, apiReference} }
	all := map[string]answer{
		goneID:                 gone("Key '" + here + "key/" + goneID + "' does not exist"),
		here + "key/" + goneID: gone("Key '" + here + "key/" + goneID + "' does not exist"),
		"payroll":              {notFound, "Invalid keyId 'payroll'", inferred},
		here + "key/payroll":   {notFound, "Invalid keyId '" + here + "key/payroll'", inferred},
		here + "payroll":       {badArn, "Invalid arn " + here + "payroll", inferred},
		"arn:aws:s3:::payroll": {badArn, "Invalid arn arn:aws:s3:::payroll", inferred},
		"arn:aws:kms:eu-west-1:000000000000:key/" + goneID: {notFound, "Invalid arn eu-west-1", inferred},
		eastern + "111111111111:key/" + goneID:             gone("Key '" + eastern + "111111111111:key/" + goneID + "' does not exist"),
		eastern + "111111111111:alias/gone":                gone("Alias " + eastern + "111111111111:alias/gone is not found."),
	}
	if slices.Contains(n.aliases, operation) {
		all["alias/gone"], all[here+"alias/gone"] = gone("Alias "+here+"alias/gone is not found."), gone("Alias "+here+"alias/gone is not found.")
		return all
	}
	for _, alias := range []string{"alias/here", here + "alias/here", "alias/gone"} {
		all[alias] = answer{notFound, "Invalid keyId '" + alias + "'", inferred}
	}
	return all
}
