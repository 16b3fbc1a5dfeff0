// Package cloudtrail is the formats of the files that an audit trail is handed on
// in: AWS CloudTrail's log files and signed digests, under CloudTrail's names, and
// the same for HSM audit logs as text. What reads CloudTrail's files reads these.
//
// A digest names the log files since the digest before it with their hashes, states
// that digest's hash and signature, and is signed. It has one member more than
// CloudTrail's: the range of the journal's records that it stands for, and the hash
// chain's value after them. So the signed digests of a Region are one chain, which
// covers the files and the journal that they were made from.
//
// Check verifies a tree of such files with nothing but the public keys.
//
// The package reads what it is given and writes nowhere; audit/export makes the
// files. The formats are in docs/formats/log-files.md, exactly enough for another
// verifier.
package cloudtrail
