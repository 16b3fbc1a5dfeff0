// Package s3 sends the files that audit/export writes into a directory to a bucket of
// S3, or of what speaks its protocol: unchanged, log files before the digest that names
// them, digests of a Region in their order and with their signature as metadata, as
// CloudTrail stores them.
//
// Nothing in the bucket is overwritten: an object that is there already has to have the
// same content.
package s3
