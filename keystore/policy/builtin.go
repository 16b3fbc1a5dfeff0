package policy

import (
	"fmt"
	"maps"
	"slices"
)

// Builtins lists the names of the policies that every Strongroom has, sorted:
//
//   - "admin": everything, on keys and on the service.
//   - "auditor": read both audit trails and the state of the HSMs, and learn what the
//     policies allow to whom. No key.
//   - "user": use every key and read about it. No change to any key, no grants, no
//     audit trail.
func Builtins() []string {
	return slices.Sorted(maps.Keys(builtinTexts()))
}

// builtinTexts returns the documents of the built-in policies. All but the admin's
// name each action, so that one that changes something is not theirs on the day
// that it is added.
func builtinTexts() map[string]string {
	return map[string]string{
		"admin": `{
  "Version": "2012-10-17",
  "Statement": {"Effect": "Allow", "Action": ["kms:*", "strongroom:*", "cloudtrail:*", "logs:*", "cloudhsm:*", "cloudwatch:*"], "Resource": "*"}
}`,
		"auditor": `{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Action": [
      "strongroom:DescribeHsms", "strongroom:ListHsmOrphans", "strongroom:SimulatePolicy",
      "strongroom:DescribeAudit", "strongroom:SearchEvents", "strongroom:SearchHsmLog", "strongroom:StreamEvents", "strongroom:StreamHsmLog",
      "strongroom:StreamMetrics", "strongroom:DescribeAlarms", "strongroom:CreateConsoleLink",
      "cloudtrail:LookupEvents", "cloudtrail:DescribeTrails", "cloudtrail:GetTrail", "cloudtrail:GetTrailStatus", "cloudtrail:ListTrails", "cloudtrail:ListPublicKeys",
      "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents", "cloudhsm:DescribeClusters",
      "cloudwatch:ListMetrics", "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics"
    ],
    "Resource": "*"
  }
}`,
		"user": `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Use",
      "Effect": "Allow",
      "Action": [
        "kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo",
        "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
        "kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext",
        "kms:Sign", "kms:Verify", "kms:GenerateMac", "kms:VerifyMac",
        "kms:GetPublicKey", "kms:DeriveSharedSecret", "kms:GenerateRandom"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadAbout",
      "Effect": "Allow",
      "Action": [
        "kms:DescribeKey", "kms:ListKeys", "kms:ListAliases", "kms:ListResourceTags",
        "kms:GetKeyPolicy", "kms:ListKeyPolicies", "kms:GetKeyLastUsage",
        "kms:GetKeyRotationStatus", "kms:ListKeyRotations"
      ],
      "Resource": "*"
    }
  ]
}`,
	}
}

func builtins() (map[string]*Document, error) {
	m := make(map[string]*Document)
	for name, text := range builtinTexts() {
		d, err := ParseIdentityPolicy(name, text)
		if err != nil {
			return nil, fmt.Errorf("parsing the built-in policy %q: %w", name, err)
		}
		m[name] = d
	}
	return m, nil
}
