// Package policy decides which principal may take which action on which
// resource. It is pure: it knows nothing of requests, keys or configuration
// files, and asks nobody.
//
// Policies are JSON documents of AWS IAM's language. A key has one, its key
// policy ([ParseKeyPolicy]); callers have theirs, the identity policies
// ([ParseIdentityPolicy], [Identities]); and a key may have grants ([Grants]).
// [Decide] asks all of them: a matching Deny wins, then any of them may allow, and
// whatever nobody allows is denied. docs/policies.md describes the language, the
// condition keys and where this package differs from IAM.
//
// Two rules keep it from failing open. A document that is not understood to its
// last element is refused when it is written, by a [MalformedError]. And what
// cannot be decided about a request, such as a variable without a value, keeps an
// Allow from applying, and makes a Deny apply.
//
// Everything is compiled when it is parsed, so that a decision allocates nothing.
package policy
