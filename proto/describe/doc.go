// Package describe compiles the API's descriptors and the options on them
// (strongroom.annotations.v1) into plans: one for each service, method, message,
// field and enum. Whatever is generic in Strongroom works from these plans, not
// from tables of its own: the validation of requests, the API events, the
// redaction of logs, the actions and conditions of policies, the error table, and
// the codecs of the AWS protocols.
//
// [Compile] is called once, when a server starts. It refuses descriptors whose
// options are incomplete or contradict each other, above all a bytes field that
// does not say whether it is secret, so that a mistake in a .proto file is found
// before the first request. Plans are read-only afterwards and safe for
// concurrent use.
//
// # Names
//
// A field has up to four names: key_id in proto and in our logs; KeyId on the
// AWS wire; keyId in AWS's validation messages; and the name in events, which is
// mostly the same as that. They are all derived from the first, unless an option
// says another.
//
// # Secrets
//
// A field with the standard option debug_redact is a secret. No method of this
// package reads its value except Validate, which checks its length and pattern
// and never shows it.
//
// The rules of the AWS protocol and of CloudTrail that stand behind this are in
// AWS's API reference for KMS, its model (API version 2014-11-01) and the
// "Logging AWS KMS API calls" pages of the KMS developer guide.
package describe
