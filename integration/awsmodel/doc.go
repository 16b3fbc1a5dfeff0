// Package awsmodel compares the API with AWS's own model of KMS, as botocore
// has it: operations, members, types, limits, patterns, enum values and errors.
// The model is not kept here; it comes with the AWS clients that `make clients`
// gets, in the version that their requirements.txt pins.
package awsmodel
