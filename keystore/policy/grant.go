package policy

import (
	"maps"
	"slices"
	"time"
)

// Grant lets one principal do some operations with one key.
type Grant struct {
	// ID names the grant; Token is what CreateGrant answered with it; Name is the
	// caller's own, or "".
	ID, Token, Name string
	// Grantee may do the operations; Retiring, if not "", may retire the grant.
	// Both are principal ARNs. A role's sessions may do what the role may; an
	// account's root is granted for itself, not for the account.
	// IssuingAccount is the account that made the grant.
	Grantee, Retiring, IssuingAccount string
	// Operations are those of AWS KMS's GrantOperation, e.g. "Encrypt".
	Operations []string
	// Equals, if not empty, is the encryption context that a request has to have.
	// Subset, if not empty, has pairs that must be part of it. Of a grant with both
	// both must hold. They do not count for operations without an encryption
	// context.
	Equals, Subset map[string]string
	// Created is when the grant was made.
	Created time.Time
}

// clone copies a grant, so that nobody else can change it, with each operation once.
func (g Grant) clone() *Grant {
	operations := make([]string, 0, len(g.Operations))
	for _, operation := range g.Operations {
		if !slices.Contains(operations, operation) {
			operations = append(operations, operation)
		}
	}
	g.Operations = operations
	g.Equals, g.Subset = maps.Clone(g.Equals), maps.Clone(g.Subset)
	return &g
}

func (g *Grant) constrained() bool { return len(g.Equals) > 0 || len(g.Subset) > 0 }

// path returns the pairs that a request's context must have, in order of their keys.
// exact: it must have no other. ok is false if no context can meet the constraints,
// because Equals lacks a pair of Subset.
func (g *Grant) path() (path []pair, exact, ok bool) {
	if len(g.Equals) == 0 {
		return sortedPairs(g.Subset), false, true
	}
	return sortedPairs(g.Equals), true, contains(g.Equals, sortedPairs(g.Subset))
}

// takesContext says whether an operation has an encryption context, which the
// constraints of a grant are about.
func takesContext(operation string) bool {
	switch operation {
	case "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
		"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo":
		return true
	default:
		return false
	}
}

// pair is one of an encryption context.
type pair struct{ key, value string }

func sortedPairs(m map[string]string) []pair {
	pairs := make([]pair, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, pair{k, m[k]})
	}
	return pairs
}

// contains says whether a context has all the pairs.
func contains(context map[string]string, pairs []pair) bool {
	for i := range pairs {
		if value, ok := context[pairs[i].key]; !ok || value != pairs[i].value {
			return false
		}
	}
	return true
}
