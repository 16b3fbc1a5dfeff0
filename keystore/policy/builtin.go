package policy

import (
	"maps"
	"slices"
)

// Builtins lists the names of the policies that every Strongroom has, sorted:
//
//   - "admin": everything, on keys and on the service.
//   - "auditor": read both audit trails and the state of the HSMs. No key.
//   - "user": use every key and read about it. No change to any key, no audit
//     trail.
func Builtins() []string {
	return slices.Sorted(maps.Keys(builtins()))
}

func builtins() map[string]document {
	return byName(
		allow("admin", "kms:*", "strongroom:*"),
		// Named one by one, so that an action of the service that changes
		// something is not the auditor's on the day that it is added.
		allow("auditor",
			"strongroom:DescribeHsms",
			"strongroom:ListHsmOrphans",
			"strongroom:StreamEvents",
			"strongroom:StreamHsmLog"),
		allow("user",
			"kms:Decrypt",
			"kms:DescribeKey",
			"kms:Encrypt",
			"kms:GenerateDataKey",
			"kms:GenerateDataKeyWithoutPlaintext",
			"kms:GenerateRandom",
			"kms:ListAliases",
			"kms:ListKeys",
			"kms:ReEncryptFrom",
			"kms:ReEncryptTo"),
	)
}

// allow makes a policy of actions that it allows on every resource.
func allow(name string, actions ...pattern) document {
	return document{name: name, statements: []statement{{actions: actions, resources: []pattern{"*"}}}}
}

func byName(documents ...document) map[string]document {
	m := make(map[string]document, len(documents))
	for _, d := range documents {
		m[d.name] = d
	}
	return m
}
